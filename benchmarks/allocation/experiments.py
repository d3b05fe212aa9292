"""Public experiments with money at stake, each read from its file."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.allocation.responses import Responses
from causal_tasks.errors import InputError

VARIABLE = "CAUSAL_TEST_DATA"

PURCHASE = 10.0
PROMOTION = 0.15
"""Starbucks: what a purchase brings and a promotion costs, USD."""


@dataclass(frozen=True, slots=True)
class RealExperiment:
    """An experiment and how money enters it.

    Attributes:
        title: For people.
        responses: All units.
        outcome: What is gained, with its unit.
        money: What costs what, and what had to be assumed.
        budgets: Per unit.
    """

    title: str
    responses: Responses
    outcome: str
    money: str
    budgets: tuple[float, ...]


def hillstrom(file: Path) -> RealExperiment:
    """64,000 customers and two e-mails."""
    rows = pd.read_csv(file)
    arms = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
    return RealExperiment(
        title="Hillstrom: two e-mails to 64,000 customers",
        responses=_responses(
            rows[["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]],
            rows["spend"],
            rows["segment"],
            arms=arms,
            cost={"No E-Mail": 0.0, "Mens E-Mail": 0.1, "Womens E-Mail": 0.1},
        ),
        outcome="USD spent in two weeks",
        money="An e-mail is assumed to cost 0.10 USD: no price was published.",
        budgets=(0.02, 0.05, 0.08),
    )


def starbucks(file: Path) -> RealExperiment:
    """84,534 users and a promotion that does not pay for everybody."""
    rows = pd.read_csv(file)
    categories = dict.fromkeys(("V1", "V4", "V5", "V6", "V7"), "category")
    return RealExperiment(
        title="Starbucks: a promotion to 84,534 users",
        responses=_responses(
            rows[[f"V{k}" for k in range(1, 8)]].astype(categories),
            PURCHASE * rows["purchase"],
            rows["Promotion"],
            arms=("No", "Yes"),
            cost={"No": 0.0, "Yes": PROMOTION},
        ),
        outcome="USD of purchases",
        money="Published with the exercise: a purchase brings 10 USD, a promotion costs 0.15 USD.",
        budgets=(0.03, 0.075, 0.12),
    )


def penn_bonus(file: Path) -> RealExperiment:
    """13,913 unemployed, and six bonuses for finding work soon."""
    rows = pd.read_csv(file)
    weeks = rows["inuidur1"]
    bonus = rows["tg"].map({0: 0.0, 1: 3.0, 2: 3.0, 3: 6.0, 4: 6.0, 5: 6.0, 6: 6.0})
    within = rows["tg"].map({0: 0, 1: 6, 2: 12, 3: 6, 4: 12, 5: 12, 6: 12})
    declining = np.where(rows["tg"] == 5, 1 - weeks / 12, 1.0)
    return RealExperiment(
        title=f"Pennsylvania: bonuses for finding work, {len(rows):,} unemployed",
        responses=_responses(
            rows.drop(columns=["tg", "inuidur1", "inuidur2"]),
            -weeks,
            rows["tg"],
            arms=tuple(range(7)),
            cost=np.where(weeks <= within, bonus * declining, 0.0),
        ),
        outcome="weeks of unemployment saved",
        money="Costs are in weekly benefits. Arms 1 and 2 offer three of them, 3, 4 and 6 six, 5 six that decline to "
        "none in the twelfth week; arms 1 and 3 for work found within six weeks, the others within twelve. Whoever "
        "finds work in time is assumed to be paid: claims are not in the file. Benefits saved are not counted.",
        budgets=(0.5, 1.0, 1.5),
    )


def karlan_list(file: Path) -> RealExperiment:
    """50,083 donors, whose gifts are matched one to one, two or three to one."""
    rows = pd.read_csv(file).dropna(subset=["out_amountgive"])
    donor = ["hpa", "ltmedmra", "freq", "years", "year5", "mrm2", "dormant", "female", "couple", "nonlit", "cases"]
    state = ["state50one", "statecnt", "perbush", "close25", "red0", "redcty"]
    district = ["pwhite", "pblack", "page18_39", "ave_hh_sz", "median_hhincome", "powner", "psch_atlstba"]
    return RealExperiment(
        title=f"Karlan and List: matched gifts, {len(rows):,} letters",
        responses=_responses(
            rows[[*donor, *state, *district, "pop_propurban"]],
            rows["out_amountgive"],
            rows["match_ratio"],
            arms=(0, 1, 2, 3),
            cost=rows["match_ratio"] * rows["out_amountgive"],
        ),
        outcome="USD given by the donor",
        money="A match of r to one costs the sponsor r times the gift; its cap is not charged.",
        budgets=(0.25, 0.5, 1.0),
    )


def lazada(file: Path) -> RealExperiment:
    """The randomised file of a voucher campaign."""
    features = [f"f{k}" for k in range(83)]
    rows = pd.read_csv(file, usecols=[*features, "is_treat", "label"])
    return RealExperiment(
        title=f"Lazada: vouchers to {len(rows):,} users",
        responses=_responses(rows[features], rows["label"], rows["is_treat"], arms=(0, 1), cost={0: 0.0, 1: 1.0}),
        outcome="purchases",
        money="A voucher is counted as 1: no price was published, so a budget is a share of users.",
        budgets=(0.2, 0.5, 0.8),
    )


EXPERIMENTS: Mapping[str, Callable[[Path], RealExperiment]] = {
    "hillstrom.csv.gz": hillstrom,
    "starbucks_promo.csv.gz": starbucks,
    "penn_bonus.csv.gz": penn_bonus,
    "karlan_list_charity.csv.gz": karlan_list,
}
"""By the name of the file in the folder of the public data sets."""


def data_folder() -> Path:
    """Where the public data sets lie.

    Raises:
        InputError: The environment does not say, or names no folder.
    """
    folder = os.environ.get(VARIABLE)
    if not folder or not Path(folder).is_dir():
        raise InputError(
            f"{VARIABLE}={folder or ''} names no folder",
            remedy="set it to the folder of docs/data.md's public data sets",
        )
    return Path(folder)


def _responses(
    features: pd.DataFrame,
    outcome: pd.Series,
    arm: pd.Series,
    *,
    arms: tuple[Any, ...],
    cost: Mapping[Any, float] | NDArray[np.float64] | pd.Series,
) -> Responses:
    texts = features.select_dtypes(include=["object", "string"]).columns
    design = features.astype(dict.fromkeys(texts, "category"))
    return Responses.checked(design, outcome.to_numpy(dtype=float), arm.to_numpy(), cost=cost, arms=arms)
