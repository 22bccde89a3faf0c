"""The last password that the counter took is known, and no other."""

from __future__ import annotations

from app.host.taken_passwords import TakenPasswords

ACCOUNT = "ctp-9999-demo"


def test_the_last_one_that_the_counter_took_is_known_and_no_other() -> None:
    taken = TakenPasswords()
    assert not taken.is_known(ACCOUNT, "first")
    taken.remember(ACCOUNT, "first")
    assert taken.is_known(ACCOUNT, "first")
    assert not taken.is_known(ACCOUNT, "second")
    assert not taken.is_known("ctp-9999-other", "first")
    taken.remember(ACCOUNT, "second")
    assert not taken.is_known(ACCOUNT, "first")
    assert taken.is_known(ACCOUNT, "second")


def test_a_refusal_ends_the_refused_one_alone() -> None:
    taken = TakenPasswords()
    taken.remember(ACCOUNT, "right")
    taken.refused(ACCOUNT, "mistyped")
    assert taken.is_known(ACCOUNT, "right")
    taken.refused(ACCOUNT, "right")
    assert not taken.is_known(ACCOUNT, "right")


def test_the_password_itself_is_not_kept() -> None:
    taken = TakenPasswords()
    taken.remember(ACCOUNT, "a-secret-of-a-trader")
    assert "a-secret-of-a-trader" not in repr(vars(taken))


def test_two_who_hear_of_one_refusal_at_once_both_go_on() -> None:
    class Raced(TakenPasswords):
        """One where another thread hears of the refusal while the password is compared."""

        def is_known(self, account: str, password: str) -> bool:
            known = super().is_known(account, password)
            self._digests.pop(account, None)
            return known

    taken = Raced()
    taken.remember(ACCOUNT, "right")
    taken.refused(ACCOUNT, "right")
    assert not taken.is_known(ACCOUNT, "right")
