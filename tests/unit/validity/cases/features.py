"""Features that rules must not be made of, and what is to be known about others."""

import numpy as np
import pandas as pd

from tests.unit.data.prepared import N
from tests.unit.validity.cases.case import RNG, Case, blend, setting, with_extra

CASES = {
    "values that nobody declared": Case(
        "schema_drift",
        "warn",
        value=2,
        subject="extra",
        **with_extra(),
        statement={"features": {"dictionary": {"extra": {"levels": ["free", "vip"]}}}},
        spoil=setting(extra=pd.Categorical(np.resize(["free", "vip", "trial", "free", "gift"], N))),
        zh="特征有 2 种声明之外的取值，涉及 1,600 名用户，例如 gift、trial；照原样使用。",
        en="The feature has 2 values that were not declared, for 1,600 users, such as gift, trial; they are used as they are.",
    ),
    "a feature that may not be used": Case(
        "sensitive_feature",
        "warn",
        subject="gender",
        statement={"features": {"dictionary": {"gender": {"sensitive": True}}}},
        zh="特征声明为敏感，不参与挖掘，也不出现在规则里。",
        en="The feature is declared sensitive; it is left out of mining and of every rule.",
    ),
    "a feature that never varies": Case(
        "constant_feature",
        "warn",
        value=1.0,
        subject="extra",
        **with_extra(spoil=setting(extra=7.0)),
        zh="特征有 100.0% 的用户取值相同，不参与挖掘。",
        en="100.0% of users share one value, so the feature is left out of mining.",
    ),
    "a feature that is an id": Case(
        "id_like_feature",
        "warn",
        value=1.0,
        subject="extra",
        **with_extra(spoil=setting(extra=RNG(2).permutation(N) + 10_000)),
        zh="特征几乎每人一个取值，像是编号，不参与挖掘。",
        en="Nearly every user has a value of their own, so the feature looks like an id and is left out.",
    ),
    "a feature with too many levels": Case(
        "high_cardinality",
        "warn",
        value=1200,
        subject="extra",
        **with_extra(spoil=setting(extra=pd.Categorical([f"shop{i % 1200}" for i in range(N)]))),
        zh="特征有 1,200 种取值，多于 1,000，不参与挖掘。",
        en="The feature has 1,200 levels, more than 1,000, and is left out.",
    ),
    "a feature missing by arm": Case(
        "missing_feature_by_arm",
        "warn",
        subject="extra",
        **with_extra(spoil=setting(extra=lambda users, new: np.where(new & blend(0.1), np.nan, RNG(3).normal(size=N)))),
        zh="特征的缺失率随组别变化（p = <0.001，下限 0.001），可能受策略影响，不参与挖掘。",
        en=(
            "Values are missing more often in one arm (p = <0.001, limit 0.001); the treatment may cause it, so the "
            "feature is left out."
        ),
    ),
    "a copy of the outcome": Case(
        "outcome_copy",
        "warn",
        value=1.0,
        subject="extra",
        **with_extra(spoil=setting(extra=lambda users, new: 60 * users["y__minutes"])),
        zh="特征与指标“播放时长”几乎一致或同名（相关系数 1.000，上限 0.980），可能就是结果本身，不参与挖掘。",
        en=(
            "The feature follows the metric play time almost exactly or bears its name (correlation 1.000, limit 0.980); "
            "it may hold the outcome, so it is left out."
        ),
    ),
    "a feature that an arm changes": Case(
        "feature_differs_by_arm",
        "warn",
        subject="extra",
        **with_extra(spoil=setting(extra=lambda users, new: RNG(4).normal(size=N) + 0.2 * new)),
        zh="特征在各组之间分布不同（q = <0.001，下限 0.001），很可能取自曝光之后，不参与挖掘。",
        en=(
            "The feature differs between the arms (q = <0.001, limit 0.001); it was probably read after exposure, so it "
            "is left out."
        ),
    ),
    "missing values that tell about the outcome": Case(
        "missing_feature_informative",
        "warn",
        value=0.89,
        subject="extra",
        **with_extra(
            spoil=setting(
                extra=np.where(blend(0.2), np.nan, RNG(5).normal(size=N)),
                y__minutes=lambda users, new: users["y__minutes"] + 10 * blend(0.2),
            )
        ),
        zh="对照组中 21.4% 的用户缺少该特征，他们的主指标高 0.89 个标准差（注意线 0.10）；模型与规则把缺失当作一种取值。",
        en=(
            "21.4% of control users have no value, and their primary metric is 0.89 standard deviations higher (limit "
            "0.10); models and rules read a missing value as a value of its own."
        ),
    ),
    "features that only together tell the arms apart": Case(
        "arm_predictable",
        "warn",
        subject="new",
        **with_extra(spoil=setting(extra=lambda users, new: RNG(6).normal(size=N) * np.where(new, 3.0, 1.0))),
        zh="特征能分辨 new 与对照组（留出用户的 AUC 为 <auc>，至少 <bound>，随机为 0.500），最主要的是 extra，其中可能有取自曝光之后的特征。",
        en=(
            "Features tell new from the control (AUC <auc> for users held out, at least <bound>, where 0.500 is chance), "
            "most of all extra; some may have been read after exposure."
        ),
    ),
    "no feature at all": Case(
        "no_feature_left",
        "fail",
        value=0,
        features=(),
        zh="没有可用于细分人群的特征。",
        en="There is no feature to tell groups of users apart.",
    ),
}
