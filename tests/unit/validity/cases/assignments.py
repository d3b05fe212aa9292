"""Who came into which arm, when, and who was dropped."""

from tests.unit.data.prepared import EVEN, waterfall
from tests.unit.validity.cases.case import Case

CASES = {
    "users in two arms": Case(
        "contamination",
        "warn",
        value=0.015,
        flow=waterfall({"control": 1000, "new": 1000}, two_arms={"control": 14, "new": 16}),
        zh="出现在两个组的用户占 1.5%，已剔除，比例偏高（注意线 1.0%）。",
        en="1.5% of users were seen in two arms and dropped; that is more than 1.0%.",
    ),
    "very many users in two arms": Case(
        "contamination",
        "fail",
        value=0.125,
        flow=waterfall({"control": 1000, "new": 1000}, two_arms={"control": 125, "new": 125}),
        zh="出现在两个组的用户占 12.5%，超过 10.0%，结果不可靠。",
        en="12.5% of users were seen in two arms, more than 10.0%; the result can't be relied on.",
    ),
    "users change arms in one direction": Case(
        "contamination_symmetry",
        "fail",
        profile={"transitions": {"control": {"new": 60}, "new": {"control": 20}}},
        zh="跨组的方向明显不对称（p = <0.001，下限 0.001），剔除跨组用户会带来偏差。",
        en="Users changed arms clearly more in one direction (p = <0.001, limit 0.001); dropping them biases the result.",
    ),
    "sample ratio slightly off": Case(
        "sample_ratio",
        "warn",
        value=0.004,
        flow=waterfall({"control": 2000, "new": 2184}),
        zh="各组人数与设计比例略有偏差（p = 0.004）。",
        en="The numbers of users differ slightly from the designed shares (p = 0.004).",
    ),
    "sample ratio off because of one level": Case(
        "sample_ratio",
        "fail",
        flow=waterfall({"control": 2000, "new": 1700}),
        spoil=lambda users, new: users.drop(index=users.index[new & (users["vip"] == 1)][:300]),
        statement={"features": {"dictionary": {"vip": {"display": {"zh": "会员", "en": "member"}}}}},
        zh=(
            "各组人数明显偏离设计比例（p = <0.001，下限 0.001），分流或曝光记录很可能有问题。"
            "偏离集中在会员为 1 的用户（control 996、new 741），去掉之后各组比例相符（p = 0.310）。"
        ),
        en=(
            "The numbers of users clearly differ from the designed shares (p = <0.001, limit 0.001); assignment or "
            "exposure logging is probably broken. The shares part where member is 1 (control 996, new 741); without "
            "these users they match (p = 0.310)."
        ),
    ),
    "sample ratio off because of one day": Case(
        "sample_ratio",
        "warn",
        flow=waterfall({"control": 2000, "new": 1800}),
        spoil=lambda users, new: users[~(new & (users["start"].astype(str) == "2026-02-03").to_numpy())],
        zh=(
            "各组人数与设计比例略有偏差（p = 0.001）。偏离集中在2026-02-03 这一天（control 200、new 0），"
            "去掉之后各组比例相符（p = 1.000）。"
        ),
        en=(
            "The numbers of users differ slightly from the designed shares (p = 0.001). The shares part on 2026-02-03 "
            "(control 200, new 0); without these users they match (p = 1.000)."
        ),
    ),
    "sample ratio off only after a filter": Case(
        "sample_ratio_analysed",
        "fail",
        flow=waterfall(EVEN, not_eligible={"control": 100, "new": 200}),
        zh="某一剔除原因在各组之间明显不同（p = <0.001，下限 0.001），剔除本身会带来偏差。",
        en="An exclusion takes clearly different shares of the arms (p = <0.001, limit 0.001), which biases what is left.",
    ),
    "windows not over yet": Case(
        "maturity",
        "warn",
        value=0.25,
        flow=waterfall(EVEN, immature={"control": 500, "new": 500}),
        zh="观察窗未满的用户占 25.0%，偏多（注意线 20.0%），结论偏向较早进入的用户。",
        en="25.0% of users had an incomplete window, more than 20.0%; the result leans towards early users.",
    ),
    "most windows not over yet": Case(
        "maturity",
        "fail",
        value=0.6,
        flow=waterfall(EVEN, immature={"control": 1200, "new": 1200}),
        zh="观察窗未满的用户占 60.0%，超过 50.0%，留下的用户不能代表全体。",
        en="60.0% of users had an incomplete window, more than 50.0%; those left do not represent all.",
    ),
    "another experiment takes more of one arm": Case(
        "overlapping_experiments",
        "warn",
        subject="banner",
        profile={
            "other_experiments": {
                "banner": {"control": 200, "new": 320},
                "search": {"control": 400, "new": 410},
                "tiny": {"control": 1, "new": 30},
            }
        },
        zh="实验 banner 在各组中的占比不同（control 10.0%、new 16.0%；p = <0.001，下限 0.001），两个实验可能相互影响。",
        en=(
            "The experiment banner holds different shares of the arms (control 10.0%, new 16.0%; p = <0.001, limit "
            "0.001); the two may influence each other."
        ),
    ),
    "the day of exposure begins before the exposure": Case(
        "exposure_day_counts",
        "warn",
        value=0.3,
        statement={"window": {"days": 2}},
        zh=(
            "曝光时当天平均已过 14.4 小时，而整天都计入：观察窗中有 30.0%（注意线 10.0%）落在曝光之前，效果会显得偏小。"
        ),
        en=(
            "On the day of exposure 14.4 hours were over on average, and the whole day counts: 30.0% of the outcome "
            "window (limit 10.0%) lie before the exposure, which makes the effect look smaller."
        ),
    ),
}
