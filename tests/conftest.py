"""What every test may use: the real Hangzhou pack in the test database, and its people."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from chengshu.api import auth
from chengshu.cases import catalog
from chengshu.evaluation import public
from chengshu.packs.apply import load_city
from chengshu.parties.access import principal_of
from chengshu.parties.models import Account
from chengshu.parties.principal import Principal
from chengshu.places import cities, locate
from chengshu.places.models import City
from chengshu.sensing import known, scope, store


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> None:
    """The Hangzhou pack, loaded once; each test changes it within a transaction that is rolled back."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        load_city("hangzhou", yes=True, echo=lambda *_: None)


@pytest.fixture(autouse=True)
def _fresh(tmp_path_factory: pytest.TempPathFactory, settings: object) -> Iterator[None]:
    """No test sees what another process-wide cache kept, nor its files."""
    settings.FILES_ROOT = tmp_path_factory.mktemp("files")  # type: ignore[attr-defined]
    settings.LAKE = str(tmp_path_factory.mktemp("lake"))  # type: ignore[attr-defined]
    settings.SPOOL = tmp_path_factory.mktemp("spool")  # type: ignore[attr-defined]
    catalog.forget()
    locate.forget()
    cities.forget()
    auth.forget()
    public.forget()
    known.forget()
    scope.forget()
    store.forget()
    yield
    catalog.forget()
    locate.forget()
    cities.forget()
    auth.forget()
    public.forget()
    known.forget()
    scope.forget()
    store.forget()


@pytest.fixture
def hangzhou(db: None) -> City:
    return City.objects.get(name="hangzhou")


@pytest.fixture
def who(hangzhou: City) -> Callable[[str], Principal]:
    """The principal of a demo account in its first post, such as `who("dispatcher")`."""

    def find(username: str) -> Principal:
        found = principal_of(Account.objects.get(username=username))
        assert found is not None
        return found

    return find
