"""The curator's page: corrections of exposures, targets merged and split, calibrator links, and their log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from obsportal.accounts.access import may_curate
from obsportal.accounts.models import User
from obsportal.exposures import corrections, curation
from obsportal.exposures.models import Exposure, LinkDecision, Observation, Target, TargetPointing
from obsportal.exposures.search_values import SearchError, integer

LARGEST = 2**62


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def curator_page(request: HttpRequest) -> HttpResponse:
    """Forms for each kind of decision, filled from the address, and the log. Curators only."""
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not may_curate(user):
        raise PermissionDenied("only curators may correct records")
    assert isinstance(user, User)
    if request.method != "POST":
        return _page(request, request.GET.dict())
    given = {name: value.strip() for name, value in request.POST.dict().items() if isinstance(value, str)}
    act = ACTIONS.get(given.get("action", ""))
    if act is None:
        return _page(request, given, "the form does not say what is to be done")
    try:
        query = act(given, user)
    except (curation.CurationError, corrections.OverrideError, SearchError) as error:
        return _page(request, given, str(error))
    return HttpResponseRedirect(f"{reverse('curator')}?{query}&done={given['action']}#log")


def _page(request: HttpRequest, given: dict[str, str], error: str = "") -> HttpResponse:
    target = _find_target(given.get("target", ""))
    context: dict[str, Any] = {
        "given": given,
        "error": error,
        "fields": corrections.OVERRIDABLE,
        "examples": EXAMPLES,
        "target": target,
        "pointings": target.pointings.order_by("mjd_first", "key")[:200] if target else (),
        "log": curation.log(),
        "done": DONE.get(given.get("done", "")),
    }
    return render(request, "exposures/curator.html", context, status=400 if error else 200)


EXAMPLES = {
    "obs_type": "science or calibrator",
    "visibility": "public or protected",
    "obs_program": "0103.C-0347(A)",
    "instrument_mode": "GRISM-H",
    "technical": "true or false",
}
DONE = {
    "override": "The exposure is corrected.",
    "merge": "The targets are one now.",
    "split": "The pointing is a target of its own now.",
    "link": "The calibrator link is changed.",
    "withdraw": "The decision is withdrawn.",
}


def _override(given: dict[str, str], author: User) -> str:
    exp_id, name, text = given.get("exposure", ""), given.get("field", ""), given.get("value", "")
    exposure = Exposure.objects.visible_to(author).filter(exp_id=exp_id).first()
    if exposure is None:
        raise curation.CurationError(f"there is no exposure {exp_id[:120]!r}")
    value: Any = text
    if name == "technical":
        value = {"true": True, "false": False}.get(text.lower(), text)
    corrections.override(exposure, name, value, reason=given.get("reason", ""), author=author)
    return f"exposure={exp_id}"


def _merge(given: dict[str, str], author: User) -> str:
    first, second = _target(given.get("target", "")), _target(given.get("other", ""))
    curation.merge_targets(first, second, reason=given.get("reason", ""), author=author)
    return f"target={min(first.pk, second.pk)}"


def _split(given: dict[str, str], author: User) -> str:
    target = _target(given.get("target", ""))
    key = integer("pointing", given.get("pointing", ""), 1, LARGEST)
    pointing = TargetPointing.objects.filter(pk=key, target=target).first()
    if pointing is None:
        raise curation.CurationError("choose one of the target's pointings")
    curation.split_target(target, pointing, reason=given.get("reason", ""), author=author)
    return f"target={target.pk}"


def _link(given: dict[str, str], author: User) -> str:
    kind = given.get("kind", "")
    if kind not in LinkDecision.Kind.values:
        raise curation.CurationError("choose whether the calibrator belongs to the observation or not")
    science, calibrator = given.get("science", ""), given.get("calibrator", "")
    for key in (science, calibrator):
        if not Observation.objects.visible_to(author).filter(key=key).exists():
            raise curation.CurationError(f"there is no observation {key[:120]!r}")
    curation.decide_link(
        LinkDecision.Kind(kind), science, calibrator, reason=given.get("reason", ""), author=author
    )
    return f"science={science}"


def _withdraw(given: dict[str, str], author: User) -> str:
    key = integer("key", given.get("key", ""), 1, LARGEST)
    curation.withdraw(given.get("kind", ""), key, reason=given.get("reason", ""), author=author)
    return ""


def _target(text: str) -> Target:
    """The target of a number. Raises CurationError for a wrong one."""
    found = _find_target(text)
    if found is None:
        raise curation.CurationError(f"there is no target {text[:20]!r}: its number is needed")
    return found


def _find_target(text: str) -> Target | None:
    key = int(text) if text.isdecimal() and len(text) < 19 else 0
    return Target.objects.filter(pk=key).first()


ACTIONS: dict[str, Callable[[dict[str, str], User], str]] = {
    "override": _override,
    "merge": _merge,
    "split": _split,
    "link": _link,
    "withdraw": _withdraw,
}
