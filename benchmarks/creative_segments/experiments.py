"""Public experiments whose arms are messages or offers, with the segments that these were, or might be, made for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.segments.likelihood import Family


@dataclass(frozen=True, slots=True)
class RealCreatives:
    """One experiment.

    Attributes:
        title: In the document.
        people: What is known before the exposure, n rows.
        response: More is better, shape (n,).
        creative: What each person was shown, text, shape (n,).
        segment: Segment by creative; other arms are a reference.
        unit: What the response counts.
        remark: What to know of arms, segments and data.
        clusters: Codes of people who were drawn together, shape (n,); None: each alone.
        family: Of the likelihood.
        scale: By which values are multiplied in tables.
    """

    title: str
    people: pd.DataFrame
    response: NDArray[np.float64]
    creative: NDArray[np.str_]
    segment: Mapping[str, str]
    unit: str
    remark: str
    clusters: NDArray[np.intp] | None = None
    family: Family = "binomial"
    scale: float = 100.0


def social_pressure(file: Path) -> RealCreatives:
    """305,866 voters, and three letters that ask them to vote."""
    rows = pd.read_csv(file)
    return RealCreatives(
        title=f"Social pressure: letters to {len(rows):,} voters",
        people=pd.DataFrame(
            {
                "sex": rows["sex"],
                "age": 2006 - rows["yearofbirth"],
                "voted_2004": rows["primary2004"],
                "household": rows["hhsize"],
            }
        ),
        response=rows["primary2006"].to_numpy(dtype=float),
        creative=rows["messages"].to_numpy(dtype=str),
        segment={"Civic Duty": "informing", "Hawthorne": "informing", "Neighbors": "pressure"},
        unit="turnout in per cent",
        remark="Gerber, Green, Larimer (2008). Civic Duty reminds of a duty, Hawthorne says that researchers look "
        "whether one votes, Neighbors that the neighbours will be told. The first two are taken for one segment, the "
        "last for another; nobody made them so. Households were drawn; the file does not name them, but holds their "
        "members in neighbouring rows: cut into runs of the same letter and size of household, it gives 160,002, all "
        "of them whole. They stay together in halves and folds, and intervals count them.",
        clusters=households(rows["messages"], rows["hhsize"]),
    )


def households(message: pd.Series, size: pd.Series) -> NDArray[np.intp]:
    """Household of every row, where the members of one stand together: runs of equal rows, cut by their size.

    Raises:
        InputError: A run is no multiple of the size of its households.
    """
    run = ((message != message.shift()) | (size != size.shift())).cumsum()
    within = run.groupby(run).cumcount()
    length = run.groupby(run).transform("size")
    if (length % size).any():
        raise InputError("members of a household do not stand together", remedy="use the file in its published order")
    first = (within % size) == 0
    return np.asarray(first.cumsum() - 1, dtype=np.intp)


def matched_gifts(file: Path) -> RealCreatives:
    """50,083 donors, whose gifts are matched one to one, two or three to one, and who are asked for three amounts."""
    rows = pd.read_csv(file)
    known = ["hpa", "freq", "years", "mrm2", "dormant", "female", "couple", "state50one", "red0", "redcty"]
    place = ["pwhite", "pblack", "page18_39", "median_hhincome", "powner", "psch_atlstba", "pop_propurban"]
    ratio, asked = rows["match_ratio"].astype(str), rows["ask_level"]
    creative = np.where(rows["match_ratio"] == 0, "no match", ratio + ":1, asks " + asked)
    names = {0: "no match", 1: "price 1/2", 2: "price 1/3", 3: "price 1/4"}
    segment = {str(label): names[int(label[0])] for label in np.unique(creative) if label != "no match"}
    return RealCreatives(
        title=f"Karlan and List: {len(rows):,} letters that ask for gifts",
        people=rows[[*known, *place]],
        response=rows["out_gavedum"].to_numpy(dtype=float),
        creative=creative.astype(str),
        segment=segment,
        unit="givers per 100 letters",
        remark="Karlan, List (2007). A creative is a match ratio with the gift that the letter gives as an example "
        "(1.00, 1.25 or 1.50 times the highest gift so far). Its segment is what a dollar given costs the donor, which "
        "is what the ratio was varied for. One letter in fifty brings a gift: about 80 for each creative.",
    )


def open_bandit(file: Path) -> RealCreatives:
    """10,000 impressions of fashion items that were shown at random."""
    rows = pd.read_csv(file, parse_dates=["timestamp"])
    rows = rows[rows["campaign"] == "all"]
    often = rows[rows["policy"] == "bts"].groupby("item_id").size().reindex(range(80), fill_value=0)
    half = pd.Series(np.where(often.rank(method="first") > len(often) / 2, "frequent", "rare"), index=often.index)
    shown = rows[rows["policy"] == "random"]
    creative = shown["item_id"].map(half) + np.where(shown["item_id"] % 2, ", odd", ", even")
    return RealCreatives(
        title=f"Open Bandit: {len(shown):,} impressions of fashion items",
        people=pd.DataFrame(
            {f"feature_{k}": shown[f"user_feature_{k}"].astype(str).astype("category") for k in range(4)}
            | {"hour": shown["timestamp"].dt.hour}
        ).reset_index(drop=True),
        response=shown["click"].to_numpy(dtype=float),
        creative=creative.to_numpy(dtype=str),
        segment={f"{name}, {number}": name for name in ("frequent", "rare") for number in ("even", "odd")},
        unit="clicks per 100 impressions",
        remark="Saito, Aihara, Matsutani, Narita (2021), the publisher's sample, campaign 'all', random policy. 80 "
        "items are too many for 38 clicks, and the sample does not describe them. Segments are arbitrary: the half of "
        "the items that the other policy, Thompson sampling, showed more often to other people, and the rest; a "
        "creative is the items of a half with even or odd numbers.",
    )


EXPERIMENTS: Mapping[str, Callable[[Path], RealCreatives]] = {
    "gotv_social_pressure.csv.gz": social_pressure,
    "karlan_list_charity.csv.gz": matched_gifts,
    "open_bandit_sample.csv.gz": open_bandit,
}
"""By the name of the file in the folder of the public data sets."""
