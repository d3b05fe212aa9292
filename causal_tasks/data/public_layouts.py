"""Public data sets that ``causal-tasks import`` knows: their columns, and what their experiment states."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Layout:
    """How the file of a public data set looks, and how it is to be read.

    Attributes:
        title: Name of the experiment.
        source: Where the data set was published.
        columns: Columns that the file must have; others are not copied.
        statement: Fields of the experiment but for its id and address.
        categories: Columns of codes that stand for no quantity; copied as text.
        randomised_arms: Rows by arm of the only randomised file of this layout, whose shares are taken for the design;
            any other file is compared without randomisation. None: every file was randomised.
        remarks: What whoever imports it must know.
    """

    title: str
    source: str
    columns: tuple[str, ...]
    statement: Mapping[str, Any]
    categories: tuple[str, ...] = ()
    randomised_arms: Mapping[str, int] | None = None
    remarks: tuple[str, ...] = ()


def _named(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _share(name: str, zh: str, en: str, **further: Any) -> dict[str, Any]:
    return {"name": name, "aggregate": "any", "display": _named(zh, en), **further}


HILLSTROM = Layout(
    title="MineThatData e-mail challenge",
    source="https://blog.minethatdata.com/2008/03/minethatdata-e-mail-analytics-and-data.html",
    columns=(
        "recency",
        "history_segment",
        "history",
        "mens",
        "womens",
        "zip_code",
        "newbie",
        "channel",
        "segment",
        "visit",
        "conversion",
        "spend",
    ),
    statement={
        "control": "No E-Mail",
        "treatments": ["Mens E-Mail", "Womens E-Mail"],
        "dataset": {"arm_column": "segment", "row_numbers": True},
        "metrics": [
            _share("visit", "访问率", "visit rate", role="primary"),
            _share("conversion", "购买率", "conversion rate"),
            {"name": "spend", "display": _named("消费金额", "spend"), "unit": _named("美元", "USD")},
        ],
        "features": {
            "exclude": ["history_segment"],
            "dictionary": {
                "recency": {"display": _named("距上次购买月数", "months since last purchase")},
                "history": {
                    "display": _named("过去一年消费", "spend in the past year"),
                    "unit": _named("美元", "USD"),
                },
                "mens": {"display": _named("过去一年买过男装（0/1）", "men's goods bought in the past year (0/1)")},
                "womens": {"display": _named("过去一年买过女装（0/1）", "women's goods bought in the past year (0/1)")},
                "zip_code": {"display": _named("居住地类型", "kind of area")},
                "newbie": {"display": _named("近一年新客（0/1）", "new customer in the past year (0/1)")},
                "channel": {"display": _named("过去一年购买渠道", "purchase channel in the past year")},
            },
        },
    },
    remarks=(
        "no customer id: every row is another customer, and rows that look alike are kept",
        "history_segment is left out of the features: it is a cut of history",
    ),
)

CRITEO = Layout(
    title="Criteo uplift prediction v2.1",
    source="https://ailab.criteo.com/criteo-uplift-prediction-dataset/",
    columns=(*(f"f{i}" for i in range(12)), "treatment", "conversion", "visit", "exposure"),
    statement={
        "control": "0",
        "treatments": ["1"],
        "shares": {"0": 0.15, "1": 0.85},
        "dataset": {"arm_column": "treatment", "row_numbers": True},
        "metrics": [
            _share("visit", "访问率", "visit rate", role="primary"),
            _share("conversion", "转化率", "conversion rate"),
        ],
        "features": {"exclude": ["exposure"]},
    },
    remarks=(
        "licence CC BY-NC-SA 4.0: not for commercial use",
        "exposure is left out of the features: it happens after the assignment",
    ),
)

LAZADA = Layout(
    title="Lazada voucher campaign",
    source="https://github.com/kailiang-zhong/DESCN/tree/main/data/Lazada_dataset",
    columns=(*(f"f{i}" for i in range(83)), "is_treat", "label"),
    statement={
        "control": "0",
        "treatments": ["1"],
        "dataset": {"arm_column": "is_treat", "row_numbers": True},
        "metrics": [_share("label", "购买率", "purchase rate", role="primary")],
    },
    randomised_arms={"0": 86_987, "1": 94_682},
    remarks=("data_id is not read: nobody says that it is an id of users",),
)

STARBUCKS = Layout(
    title="Starbucks promotion exercise",
    source="https://github.com/yashnayi234/starbucks-portfolio",
    columns=("ID", "Promotion", "purchase", "V1", "V2", "V3", "V4", "V5", "V6", "V7"),
    statement={
        "unit": "ID",
        "control": "No",
        "treatments": ["Yes"],
        "dataset": {"arm_column": "Promotion"},
        "metrics": [_share("purchase", "购买率", "purchase rate", role="primary")],
        "mining": {"costs": {"Yes": 0.015}},
    },
    categories=("V1", "V4", "V5", "V6", "V7"),
    remarks=(
        "a promotion costs 0.15 USD and a purchase brings 10 USD, so that it costs 0.015 purchases",
        "V1 and V4 to V7 have two to four codes of unknown meaning: they are taken for categories",
    ),
)

LAYOUTS: Mapping[str, Layout] = {
    "hillstrom": HILLSTROM,
    "criteo": CRITEO,
    "lazada": LAZADA,
    "starbucks": STARBUCKS,
}
"""By the name under which they are imported, which is also the default of the experiment's id."""
