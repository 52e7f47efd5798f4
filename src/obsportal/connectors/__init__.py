"""The outside world: archives, name resolvers, clients."""
