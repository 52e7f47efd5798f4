"""Joining things that may be one, unless something says that they are not (union-find with conditions)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from obsportal.stars.names import component

Indices = NDArray[np.int64]


class Forest:
    """Numbered nodes in trees. A join that breaks a condition is refused.

    Conditions of a tree: at most one anchor; never both sides of an opposition; and names of no two
    components of one system (see ``stars.names.component``).
    """

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))
        self.anchors: dict[int, int] = {}
        self._pairs = 0
        self._curated: dict[int, set[int]] = {}
        self._opposed: dict[int, set[int]] = {}
        self._letters: dict[int, dict[str, set[str]]] = {}

    def find(self, node: int) -> int:
        """The root of a node: the least number of its tree."""
        parent = self.parent
        root = node
        while parent[root] != root:
            root = parent[root]
        while parent[node] != root:
            parent[node], node = root, parent[node]
        return root

    def oppose(self, first: Iterable[int], second: Iterable[int], *, curated: bool = False) -> None:
        """No node of the first may come together with one of the second."""
        kept = self._curated if curated else self._opposed
        for side, nodes in ((0, first), (1, second)):
            for node in nodes:
                kept.setdefault(self.find(node), set()).add(2 * self._pairs + side)
        self._pairs += 1

    def add_names(self, node: int, names: Iterable[str]) -> None:
        """Note the normalised names of a node's tree."""
        for name in names:
            part = component(name)
            if part:
                self._letters.setdefault(self.find(node), {}).setdefault(part[0], set()).add(part[1])

    def free(self, nodes: Iterable[int]) -> bool:
        """Whether no condition can stand between these nodes, names aside."""
        roots = {self.find(node) for node in nodes}
        if len({self.anchors[r] for r in roots if r in self.anchors}) > 1:
            return False
        for kept in (self._curated, self._opposed):
            sides = set().union(*(kept.get(r, ()) for r in roots)) if kept else set()
            if any(side ^ 1 in sides for side in sides):
                return False
        return True

    def join(self, one: int, other: int, *, names: bool = True, only_curated: bool = False) -> bool:
        """Put two trees together; answer whether they are together now.

        ``names=False``: components of a system may come together; ``only_curated``: only anchors and
        curated oppositions count.
        """
        a, b = self.find(one), self.find(other)
        if a == b:
            return True
        if a in self.anchors and b in self.anchors and self.anchors[a] != self.anchors[b]:
            return False
        if _opposite(self._curated, a, b) or (not only_curated and _opposite(self._opposed, a, b)):
            return False
        if names and not only_curated and self._components(a, b):
            return False
        root, leaf = min(a, b), max(a, b)
        self.parent[leaf] = root
        if leaf in self.anchors:
            self.anchors[root] = self.anchors.pop(leaf)
        for kept in (self._curated, self._opposed):
            if leaf in kept:
                kept.setdefault(root, set()).update(kept.pop(leaf))
        for stem, letters in self._letters.pop(leaf, {}).items():
            self._letters.setdefault(root, {}).setdefault(stem, set()).update(letters)
        return True

    def _components(self, a: int, b: int) -> bool:
        mine, theirs = self._letters.get(a), self._letters.get(b)
        if not mine or not theirs:
            return False
        return any(len(mine[stem] | theirs[stem]) > 1 for stem in mine.keys() & theirs.keys())

    def connect(self, first: Indices, second: Indices, distance: NDArray[np.float64]) -> None:
        """Join pairs of nodes, nearest first (equal distances in order of the nodes)."""
        if not first.size:
            return
        label = components(len(self.parent), first, second)
        members: dict[int, list[int]] = {}
        for node in np.union1d(first, second).tolist():
            members.setdefault(int(label[node]), []).append(node)
        bound = []
        for root, nodes in members.items():
            if not self._plain(nodes):
                bound.append(root)
                continue
            for node in nodes:
                self.join(nodes[0], node)
        held = np.isin(label[first], bound)
        first, second, distance = first[held], second[held], distance[held]
        for k in np.lexsort((second, first, distance)).tolist():
            self.join(int(first[k]), int(second[k]))

    def _plain(self, nodes: Sequence[int]) -> bool:
        """Whether all of these may be joined in any order."""
        if not self.free(nodes):
            return False
        seen: dict[str, set[str]] = {}
        for root in {self.find(node) for node in nodes}:
            for stem, letters in self._letters.get(root, {}).items():
                seen.setdefault(stem, set()).update(letters)
        return all(len(letters) == 1 for letters in seen.values())

    def groups(self, nodes: Iterable[int]) -> list[list[int]]:
        """The nodes by tree, in order."""
        found: dict[int, list[int]] = {}
        for node in nodes:
            found.setdefault(self.find(node), []).append(node)
        return sorted(found.values())


def _opposite(kept: dict[int, set[int]], a: int, b: int) -> bool:
    mine, theirs = kept.get(a), kept.get(b)
    return bool(mine and theirs and any(side ^ 1 in theirs for side in mine))


def components(count: int, first: Indices, second: Indices) -> Indices:
    """The least number of those that each of ``count`` nodes is connected with by the pairs."""
    label = np.arange(count, dtype=np.int64)
    while True:
        least = np.minimum(label[first], label[second])
        fresh = label.copy()
        np.minimum.at(fresh, first, least)
        np.minimum.at(fresh, second, least)
        fresh = fresh[fresh]
        if np.array_equal(fresh, label):
            return label
        label = fresh


def close_pairs(xyz: NDArray[np.float64], radius: float) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Pairs of unit vectors (n, 3) whose distance is at most ``radius``, with their distances.

    The first number of a pair is the smaller. Cubes of that size are sorted; only neighbours are compared.
    """
    empty = np.empty(0, dtype=np.int64)
    if len(xyz) < 2:
        return empty, empty, np.empty(0)
    cube = np.floor((xyz + 1.0) / radius).astype(np.int64) + 1
    side = int(cube.max()) + 2
    code = (cube[:, 0] * side + cube[:, 1]) * side + cube[:, 2]
    order = np.argsort(code, kind="stable")
    code = code[order]
    ones, others = [], []
    for x in (-1, 0, 1):
        for y in (-1, 0, 1):
            for z in (-1, 0, 1):
                step = (x * side + y) * side + z
                if step < 0:
                    continue
                begin = np.searchsorted(code, code + step, side="left")
                end = np.searchsorted(code, code + step, side="right")
                if step == 0:
                    begin = np.arange(len(code)) + 1
                counts = np.maximum(end - begin, 0)
                one = np.repeat(np.arange(len(code)), counts)
                ahead = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
                other = np.repeat(begin, counts) + ahead
                ones.append(order[one])
                others.append(order[other])
    one, other = np.concatenate(ones), np.concatenate(others)
    distance = np.sqrt(((xyz[one] - xyz[other]) ** 2).sum(axis=1))
    near = distance <= radius
    one, other, distance = one[near], other[near], distance[near]
    return np.minimum(one, other), np.maximum(one, other), distance
