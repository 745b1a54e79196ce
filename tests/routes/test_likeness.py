"""Whether two contacts are one person: what is found of people who come twice, and what is not said of others."""

import doctest
from collections.abc import Iterator
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routes import likeness
from routes.likeness import Person, blocks, company, folded, lookalike

ANN = Person(
    email="ann.lee@acme.example.com",
    first_name="Ann",
    last_name="Lee",
    phone="+493012345678",
    company="ACME GmbH",
    country="DE",
)


def words(text: str) -> list[str]:
    return text.split("|")


FIRST = words("Anna|Björn|Chloé|Dwayne|Elif|François|Greta|Hans-Peter|Ines|Jürgen|Käthe|Lukas|Mia|Noah|Olga|Priya")
STEMS = words(
    "Schmidt|Müller|O'Neill|Öztürk|Groß|Nguyen|Lefèvre|McAllister|Köhler|Bauer|Y\u0131lmaz|Jansen|Rossi|Novák"
)
ENDS = words("|mann|berg|stein|feld|bach|hoff| Lüders|-Huber|-Wagner")
LAST = [f"{stem}{end}" for stem in STEMS for end in ENDS]
FIRMS = ("ACME", "Müller & Söhne", "Northwind", "Globex", "Initech", "Umbrella Logistics", "Stark Solar", "Hooli")


def people(random: Random, count: int) -> list[Person]:
    """Different people, some of them namesakes, of one family or of one office with one telephone."""
    found: list[Person] = []
    for number in range(count):
        first, last, firm = random.choice(FIRST), random.choice(LAST), random.choice(FIRMS)
        box = random.choice(
            [f"{folded(first)[:1]}.{folded(last)}", f"{folded(first)}.{folded(last)}{number % 7}", "info"]
        )
        phone = f"+4930{random.randrange(10**7, 10**8)}" if random.random() < 0.7 else None
        if number % 9 == 0 and found:
            other = found[-1]
            last, phone, firm = random.choice([other.last_name, last]), other.phone, other.company or firm
        domain = f"{folded(firm).replace(' ', '')}{number}.example.com"
        email = f"{box.replace(' ', '')}@{domain}"
        known = {"company": firm if random.random() < 0.8 else None, "country": random.choice(["DE", "AT", None])}
        found.append(Person(email=email, first_name=first, last_name=last, phone=phone, **known))
    return found


def again(random: Random, person: Person) -> Person:
    """The same person, some time later, by another address and typed by somebody else."""
    first, last = person.first_name, person.last_name
    match random.randrange(5):
        case 0:
            first, last = last, first
        case 1:
            first = f"{first[0]}."
        case 2:
            last = last[:2] + last[3:] if len(last) > 5 else last
        case 3:
            first, last = folded(first).title(), folded(last).title()
        case _:
            pass
    firm = person.company and random.choice([person.company, f"{person.company} GmbH", f"{person.company.upper()} AG"])
    phone = random.choice([person.phone, person.phone, None])
    box = random.choice([person.email.partition("@")[0], f"{folded(first)}{folded(last)}".replace(" ", "")])
    changes = {"first_name": first, "last_name": last, "company": firm, "phone": phone}
    return person.model_copy(update={**changes, "email": f"{box}@private{random.randrange(10**6)}.example.org"})


def found(those: list[Person]) -> Iterator[tuple[str, str]]:
    """The pairs that share a block and are held for one person."""
    in_blocks: dict[str, list[Person]] = {}
    for person in those:
        for block in blocks(person):
            in_blocks.setdefault(block, []).append(person)
    pairs = {frozenset((a.email, b.email)): (a, b) for some in in_blocks.values() for a, b in combinations(some, 2)}
    for a, b in pairs.values():
        if (pair := lookalike(a, b)) is not None:
            yield pair.one, pair.other


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(likeness).failed == 0


@pytest.mark.parametrize("seed", range(3))
def test_most_who_come_twice_are_found_and_few_others(seed: int) -> None:
    """Of 400 labelled people 100 come twice: three in four are found, and nine in ten of what is found are such.

    The others have but a name left, and often an initial: no telephone, no company, another mailbox.
    """
    random = Random(seed)
    those = people(random, 400)
    twins = [(person, again(random, person)) for person in random.sample(those, 100)]
    wanted = {tuple(sorted((one.email, other.email))) for one, other in twins}
    pairs = set(found([*those, *(other for _, other in twins)]))
    hits = len(pairs & wanted)
    assert hits / len(pairs) >= 0.9
    assert hits / len(wanted) >= 0.75


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"email": "ann.lee@home.example.org"}, "same"),
        ({"email": "al@home.example.org", "phone": None}, "review"),
        ({"email": "lee@home.example.org", "first_name": "Lee", "last_name": "Ann"}, "same"),
        ({"email": "bob@acme.example.com", "first_name": "Bob"}, None),
        ({"email": "x@home.example.org", "phone": None, "company": "Globex"}, None),
        ({"email": "x@home.example.org", "first_name": "Eve", "last_name": "Poe"}, None),
    ],
    ids=["private address", "name and firm", "names swapped", "colleague", "namesake", "telephone of an office"],
)
def test_what_is_said_of_two(changes: dict[str, str | None], verdict: str | None) -> None:
    """One person by another address is found; colleagues, namesakes and who shares a telephone are two people."""
    pair = lookalike(ANN, ANN.model_copy(update=changes))
    assert (pair and pair.verdict) == verdict


def test_a_pair_tells_its_reasons() -> None:
    """Each likeness stands there with its weight."""
    pair = lookalike(ANN, ANN.model_copy(update={"email": "ann.lee@home.example.org", "company": "Acme AG"}))
    assert pair is not None
    assert pair.reasons == "same name +6, same phone +5, mailbox of that name +1, same company +2"


TEXTS = st.text(max_size=12)
PEOPLE = st.builds(
    Person,
    email=st.emails(),
    first_name=TEXTS,
    last_name=TEXTS,
    phone=st.none() | st.from_regex(r"\+[0-9]{6,12}", fullmatch=True),
    company=st.none() | TEXTS,
    country=st.sampled_from(["DE", "AT", None]),
)


@given(PEOPLE, PEOPLE)
def test_it_does_not_matter_who_came_first(one: Person, other: Person) -> None:
    """Two contacts are compared to the same end in either order, and no text makes the comparison fail."""
    assert lookalike(one, other) == lookalike(other, one)


@given(TEXTS)
def test_what_is_compared_stays_as_it_is(text: str) -> None:
    """Folding twice changes nothing more, for names and for companies."""
    assert folded(folded(text)) == folded(text)
    assert company(company(text)) == company(text)
