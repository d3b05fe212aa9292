"""A lookup gives back what was written, finds nobody who was not, and says what is wrong with a file."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from causal_tasks.dynamic import lookup as lookups
from causal_tasks.dynamic.lookup import Lookup, write_lookup
from causal_tasks.errors import InputError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

ARMS = ("control", "more_long", "more_short")
HASHES = {"a": 12772036379971783689, "b": 16541719288608738708, "用户": 2316189061540958446, "42": 7398190309897293192}


@pytest.fixture
def written(tmp_path):
    """Writes a lookup into a file; returns the file and the digest."""

    def write(users, preference=None, allowed=None, arms=ARMS):
        rows = len(users)
        if preference is None:
            preference = np.arange(rows * len(arms), dtype=float).reshape(rows, len(arms))
        if allowed is None:
            allowed = np.arange(rows * (len(arms) - 1)).reshape(rows, len(arms) - 1) % 3 > 0
        path = tmp_path / "scores" / "lookup.safetensors"
        digest = write_lookup(
            f"file://{path}", users, preference, allowed, arms, storage=Storage(Settings(lake=f"file://{tmp_path}"))
        )
        return path, digest

    return write


def test_every_user_is_found_with_the_own_scores(written):
    generator = np.random.default_rng(3)
    users = [f"user-{number}" for number in generator.permutation(5_000)]
    preference = generator.normal(size=(5_000, 3)).astype(np.float32)
    allowed = generator.random((5_000, 2)) < 0.5
    path, _ = written(users, preference, allowed)
    lookup = Lookup.open(path)
    assert (len(lookup), lookup.arms) == (5_000, ARMS)
    rows = lookup.find_many(users)
    np.testing.assert_array_equal(lookup.preference[rows], preference)
    np.testing.assert_array_equal(lookup.allowed[rows], allowed)
    for place in (0, 17, 4_999):
        found = lookup.find(users[place])
        np.testing.assert_array_equal(found.preference, preference[place])
        np.testing.assert_array_equal(found.allowed, allowed[place])


def test_who_was_not_written_is_not_found(written):
    lookup = Lookup.open(written([f"user-{number}" for number in range(1_000)])[0])
    strangers = [f"stranger-{number}" for number in range(1_000)]
    assert (lookup.find_many(strangers) == -1).all()
    assert [lookup.find(stranger) for stranger in strangers[:20]] == [None] * 20
    assert lookup.find_many([]).shape == (0,)


@given(st.sets(st.text(min_size=1, max_size=8) | st.integers(-(2**63), 2**64 - 1).map(str), max_size=30), st.data())
def test_one_and_many_are_found_alike(tmp_path_factory, known, data):
    users = sorted(known)
    path = tmp_path_factory.mktemp("lookup") / "lookup.safetensors"
    preference = np.arange(len(users) * 2.0).reshape(-1, 2)
    write_lookup(
        f"file://{path}", users, preference, np.ones((len(users), 1), bool), ARMS[:2], storage=Storage(Settings())
    )
    lookup = Lookup.open(path)
    asked = [*users, *data.draw(st.lists(st.text(max_size=8)))]
    for user, row in zip(asked, lookup.find_many(asked), strict=True):
        one = lookup.find(user)
        assert (one is not None) == (user in known) == (row >= 0)
        if one is not None:
            np.testing.assert_array_equal(one.preference, preference[users.index(user)])


def test_a_number_and_its_text_are_one_user(written):
    lookup = Lookup.open(written([7, np.int64(8), "9"])[0])
    assert (lookup.find_many(["7", 8, 9, np.int32(7)]) >= 0).all()
    assert lookup.find("07") is None


def test_hashes_stay_what_they_are(written):
    """A server of this version must find the users of yesterday's file."""
    path, _ = written(["a", "b"])
    assert {text: lookups._hash(text) for text in HASHES} == HASHES
    assert load(path.read_bytes())["hashes"].tolist() == sorted([HASHES["a"], HASHES["b"]])


def test_the_digest_is_that_of_the_file_and_the_file_that_of_the_content(written):
    path, digest = written(list("abc"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert written(list("abc"))[1] == digest


def test_a_million_users_would_take_hash_scores_and_flags_and_no_more(written):
    size = [written(range(users))[0].stat().st_size for users in (1_000, 11_000)]
    assert (size[1] - size[0]) / 10_000 == pytest.approx(8 + 3 * 4 + 2, abs=0.01)


def test_a_user_of_two_rows_is_refused(written):
    with pytest.raises(InputError, match=r"user '?5'? has two rows"):
        written([4, 5, "5"])


def test_two_users_of_one_hash_are_refused(written, monkeypatch):
    monkeypatch.setattr(lookups, "_hash", len)
    with pytest.raises(InputError, match="'ab' and 'cd' have the same 64-bit hash"):
        written(["a", "ab", "cd"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"preference": np.zeros((2, 2))}, r"not \(2, 2\) and \(2, 2\)"),
        ({"allowed": np.zeros((2, 3), bool)}, r"not \(2, 3\) and \(2, 3\)"),
        ({"preference": [[0, 0, 0], [0, np.nan, 0]]}, "user 'b' for arm 'more_long' is nan"),
        ({"preference": [[0, 0, 0], [0, 0, 1e39]]}, "user 'b' for arm 'more_short' is inf"),
        ({"users": ["a", 1.0]}, "user id 1.0 is of type float"),
        ({"users": ["a", None]}, "user id None is of type NoneType"),
        ({"users": ["a", True]}, "user id True is of type bool"),
    ],
)
def test_what_is_no_table_of_scores_is_refused(written, changes, words):
    arguments = {"users": ["a", "b"], "preference": np.zeros((2, 3)), "allowed": np.zeros((2, 2), bool)}
    with pytest.raises(InputError, match=words), np.errstate(over="ignore"):
        written(**(arguments | changes))


def test_an_empty_lookup_knows_nobody(written):
    lookup = Lookup.open(written([])[0])
    assert len(lookup) == 0
    assert lookup.find("a") is None
    assert lookup.find_many(["a"]).tolist() == [-1]


def changed_header(content, change):
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + content[8 + length :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: b"", "no lookup"),
        (lambda content: content[:5], "no lookup"),
        (lambda content: content[:60], "header is cut short"),
        (lambda content: content[:-1], "cut short or damaged"),
        (lambda content: b"\xff" * 8 + content[8:], "header is cut short"),
        (lambda content: content[:8] + b"x" + content[9:], "no lookup"),
        (lambda content: changed_header(content, lambda h: h.pop("hashes")), "hashes: Field required"),
        (lambda content: changed_header(content, lambda h: h.pop("__metadata__")), "__metadata__: Field required"),
        (
            lambda content: changed_header(
                content, lambda h: h["__metadata__"].update(lookup='{"format": 2, "arms": []}')
            ),
            "format: ",
        ),
        (
            lambda content: changed_header(
                content, lambda h: h["__metadata__"].update(lookup='{"format": 1, "arms": ["a"]}')
            ),
            "not those of 3",
        ),
        (lambda content: changed_header(content, lambda h: h["allowed"].update(shape=[3, 1])), "not those of 3"),
        (lambda content: changed_header(content, lambda h: h["hashes"].update(data_offsets=[0, 8])), "damaged"),
    ],
)
def test_a_damaged_file_is_refused_and_not_read(written, damage, words):
    path, _ = written(list("abc"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=words):
        Lookup.open(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.safetensors is no lookup"):
        Lookup.open(tmp_path / "none.safetensors")


def test_an_open_lookup_outlives_its_file(written):
    path, _ = written(list("abc"))
    lookup = Lookup.open(path)
    before = lookup.find("b").preference.tolist()
    path.unlink()
    assert lookup.find("b").preference.tolist() == before
