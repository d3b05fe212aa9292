"""Outcomes that cannot be compared, or hardly."""

import numpy as np
import pandas as pd

from tests.unit.data.prepared import N, applied_cap, waterfall
from tests.unit.validity.cases.case import RNG, Case, setting, with_extra

CASES = {
    "arms differed before the start": Case(
        "pre_period",
        "warn",
        subject="minutes",
        spoil=setting(pre__minutes=lambda users, new: users["pre__minutes"] + 3 * new),
        zh="实验开始前各组已有差异（p = <0.001，注意线 0.001），请谨慎看待整体效果。",
        en="The arms differed before the start (p = <0.001, limit 0.001); read the overall effect with care.",
    ),
    "arms differed before the start and are of the wrong size": Case(
        "pre_period",
        "fail",
        subject="minutes",
        flow=waterfall({"control": 2000, "new": 2184}),
        spoil=setting(pre__minutes=lambda users, new: users["pre__minutes"] + 3 * new),
        zh="实验开始前各组已有差异（p = <0.001，下限 0.001），各组人数也与设计不符，两者同时出现很难是偶然，结果不可靠。",
        en=(
            "The arms differed before the start (p = <0.001, limit 0.001), and their sizes are not those of the design; "
            "both together are hardly chance, so the result can't be relied on."
        ),
    ),
    "the primary metric is missing by arm": Case(
        "missing_outcome_by_arm",
        "fail",
        subject="minutes",
        spoil=setting(y__minutes=lambda users, new: users["y__minutes"].where(~(new & (np.arange(N) % 20 == 1)))),
        zh="主指标在各组的缺失比例不同（control 0.0%、new 10.0%；p = <0.001，下限 0.001），各组均值没有可比性。",
        en=(
            "The primary metric is missing for different shares of the arms (control 0.0%, new 10.0%; p = <0.001, limit "
            "0.001); its means do not compare like with like."
        ),
    ),
    "a missing value that counts as zero is missing by arm": Case(
        "missing_outcome_by_arm",
        "fail",
        subject="minutes",
        profile={"filled_outcomes": {"minutes": {"control": 20, "new": 200}}},
        zh="主指标在各组的缺失比例不同（control 1.0%、new 10.0%；p = <0.001，下限 0.001），各组均值没有可比性。",
        en=(
            "The primary metric is missing for different shares of the arms (control 1.0%, new 10.0%; p = <0.001, limit "
            "0.001); its means do not compare like with like."
        ),
    ),
    "a secondary metric is missing by arm": Case(
        "missing_outcome_by_arm",
        "warn",
        subject="ctr",
        spoil=setting(num__ctr=lambda users, new: users["num__ctr"].where(~(new & (np.arange(N) % 20 == 1)))),
        zh="指标在各组的缺失比例不同（control 0.0%、new 10.0%；p = <0.001，下限 0.001），各组均值没有可比性。",
        en=(
            "The metric is missing for different shares of the arms (control 0.0%, new 10.0%; p = <0.001, limit 0.001); "
            "its means do not compare like with like."
        ),
    ),
    "one arm records milliseconds": Case(
        "unit_scale",
        "warn",
        subject="minutes",
        spoil=setting(y__minutes=lambda users, new: users["y__minutes"] * np.where(new, 1000, 1)),
        zh="指标的典型值在 new 与对照组之间相差 994.0 倍，接近 1,000.0，可能混用了单位，例如秒与毫秒、元与分。",
        en=(
            "Typical values of the metric differ 994.0-fold between new and the control, close to 1,000.0; units may "
            "have been mixed up, such as seconds and milliseconds."
        ),
    ),
    "one platform records fen": Case(
        "unit_scale",
        "warn",
        subject="minutes",
        **with_extra(),
        spoil=setting(
            extra=pd.Categorical(np.where(np.arange(N) // 2 % 4 == 0, "ios", "android")),
            y__minutes=lambda users, new: users["y__minutes"] * np.where(np.arange(N) // 2 % 4 == 0, 100, 1),
        ),
        zh="指标的典型值在extra为 ios 的用户与其余用户之间相差 103.3 倍，接近 100.0，可能混用了单位，例如秒与毫秒、元与分。",
        en=(
            "Typical values of the metric differ 103.3-fold between users where extra is ios and the rest, close to "
            "100.0; units may have been mixed up, such as seconds and milliseconds."
        ),
    ),
    "every user of an arm has nothing": Case(
        "constant_metric",
        "fail",
        value=1,
        subject="minutes",
        spoil=setting(y__minutes=lambda users, new: users["y__minutes"].where(~new, 0.0)),
        zh="主指标在某个组内取值全部相同，无法分析。",
        en="The primary metric has one single value within an arm and can't be analysed.",
    ),
    "a secondary metric is constant": Case(
        "constant_metric",
        "warn",
        value=2,
        subject="ctr",
        spoil=setting(num__ctr=0.0),
        zh="指标在某个组内取值全部相同。若是该组本来没有的成本，属正常；否则该指标的结果没有意义。",
        en="The metric has one single value within an arm. That is right for a cost which this arm never has; else its result means nothing.",
    ),
    "few users hold most of a metric": Case(
        "heavy_tail",
        "warn",
        value=0.294,
        subject="minutes",
        spoil=setting(y__minutes=np.exp(2.5 * RNG(1).normal(size=N))),
        zh="有数值的用户中前 0.1% 占去指标总量的 29.4%（注意线 20.0%），且没有封顶，均值可能由个别用户决定。",
        en=(
            "0.1% of the users with a value hold 29.4% of the metric's total (limit 20.0%), and there is no cap; "
            "single users may decide its mean."
        ),
    ),
    "few users hold most of a metric and arms are unequal": Case(
        "heavy_tail",
        "fail",
        subject="minutes",
        flow=waterfall({"control": 2000, "new": 400}),
        statement={"shares": {"control": 5 / 6, "new": 1 / 6}},
        spoil=lambda users, new: users.assign(y__minutes=np.exp(2.5 * RNG(1).normal(size=N)))[
            ~new | (np.arange(N) % 10 == 1)
        ],
        zh=(
            "有数值的用户中前 0.1% 占去主指标总量的 34.3%（注意线 20.0%），没有封顶，"
            "且最大组人数是最小组的 5.0 倍，此时对均值的检验会误导。"
        ),
        en=(
            "0.1% of the users with a value hold 34.3% of the primary metric's total (limit 20.0%), there is no "
            "cap, and the largest arm has 5.0 times the users of the smallest; then tests of its mean mislead."
        ),
    ),
    "a cap cuts too much": Case(
        "cap",
        "warn",
        value=0.02,
        subject="minutes",
        profile={"caps": {"minutes": applied_cap(0.02)}},
        zh="非零数值中被封顶的占 2.0%（注意线 1.0%），封顶可能过紧。",
        en="2.0% of the values other than zero were capped (limit 1.0%); the cap may be too tight.",
    ),
    "a cap turns the effect": Case(
        "cap",
        "warn",
        value=0.001,
        subject="minutes",
        profile={"caps": {"minutes": applied_cap(raw=(10.0, 11.0), capped=(9.9, 9.8))}},
        zh="非零数值中被封顶的占 0.1%（注意线 1.0%），封顶可能过紧。封顶前后效果的方向相反（new）。",
        en=(
            "0.1% of the values other than zero were capped (limit 1.0%); the cap may be too tight. The effect has one "
            "sign with the cap and another without it (new)."
        ),
    ),
    "an arm is too small": Case(
        "arm_size",
        "warn",
        value=900,
        subject="control",
        spoil=lambda users, new: users[:1800],
        zh="样本偏少（最小值 900，要求 1,000），不细分人群。",
        en="The sample is small (smallest 900, required 1,000), so groups of users are not searched.",
    ),
}
