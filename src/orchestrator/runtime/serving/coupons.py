"""Coupons in the store: which code is whose, decided in the store's own thread and committed before anybody sees it.

Owns the pool of one live process. Many claims that come together are one commit. Must never answer a claim whose
commit failed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from orchestrator.errors import StorageError
from orchestrator.model.effects import Action
from orchestrator.model.project import Project
from orchestrator.runtime import faults
from orchestrator.runtime.delivery.coupons import NoCoupon, NotClaimed, Pool
from orchestrator.runtime.serving.intake import Intake
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.storage import Batch, Given

Answer = Mapping[str, str] | NoCoupon | NotClaimed


@dataclass(slots=True)
class _Claim:
    """One claim, and who waits for its answer."""

    action: Action
    coupons: Sequence[str]
    answer: "asyncio.Future[Mapping[str, str]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class StoreClaims:
    """The claims of one live process."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self._intake = intake
        self._metrics = metrics
        self._pool = Pool()
        self._waiting: list[_Claim] = []
        self._working: asyncio.Task[None] | None = None

    def open(self, project: Project) -> None:
        """Begin with what the store knows; in the store's thread."""
        self._pool = Pool(self._intake.store.codes())
        self.stock(project)

    def stock(self, project: Project) -> None:
        """Give codes of a project's files from now on; in the store's thread."""
        self._pool.stock_all(project.coupons)
        self._metrics.stock(project.coupons, self._pool.left)

    async def claim(self, action: Action, coupons: Sequence[str]) -> Mapping[str, str]:
        """Give the codes of an action's entry, its own for good on return."""
        claim = _Claim(action, coupons)
        self._waiting.append(claim)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await claim.answer

    async def _work(self) -> None:
        """Answer whatever waits, together, until nothing does."""
        while self._waiting:
            claims, self._waiting = self._waiting, []
            try:
                answers: Sequence[Answer] = await self._intake.run(partial(self._decide, claims))
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                answers = [NotClaimed(None, f"no code could be claimed: {error}") for _ in claims]
            for claim, answer in zip(claims, answers, strict=True):
                if claim.answer.done():  # whoever asked has gone
                    continue
                if isinstance(answer, Exception):
                    claim.answer.set_exception(answer)
                else:
                    claim.answer.set_result(answer)
            self._metrics.left(self._pool.left)

    def _decide(self, claims: Sequence[_Claim]) -> list[Answer]:
        """Decide claims in the order in which they came, and commit them."""
        given: list[Given] = []
        try:
            answers = [self._decide_one(claim, given) for claim in claims]
            if given:
                faults.reach("coupons.before_commit")
                self._intake.store.commit(Batch(given=given))
                faults.reach("coupons.after_commit")
        except StorageError:
            for each in reversed(given):
                self._pool.put_back(each.coupon, each.code)
            raise
        return answers

    def _decide_one(self, claim: _Claim, given: list[Given]) -> Answer:
        store, action = self._intake.store, claim.action
        profile_id = self._intake.turns.profile_of(action.profile_id)
        if all(pending.action_id != action.id for pending in store.pending_of(profile_id)):
            return NotClaimed(None, "the message was taken back meanwhile")  # its customer was erased, for one
        has = store.codes_of_entry(action.entry_id)
        has.update({each.coupon: each.code for each in given if each.entry_id == action.entry_id})
        lacking = [coupon for coupon in claim.coupons if coupon not in has]
        try:
            taken = self._pool.take(lacking)
        except NoCoupon as error:
            return error
        given += [Given(coupon, code, action.entry_id, profile_id) for coupon, code in taken.items()]
        has.update(taken)
        return {coupon: has[coupon] for coupon in claim.coupons}
