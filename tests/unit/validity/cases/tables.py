"""Tables that do not fit together."""

import numpy as np

from tests.unit.data.prepared import N
from tests.unit.validity.cases.case import METRICS, Case, setting

CASES = {
    "repeated rows": Case(
        "duplicates",
        "warn",
        value=0.02,
        subject="metrics",
        profile={"duplicate_rows": {"assignments": 0, "metrics": 200, "features": 3}},
        zh="重复行占 2.0%，偏多（注意线 1.0%），已去重。",
        en="2.0% of rows were duplicates, more than 1.0%; they were removed.",
    ),
    "some ids are of devices": Case(
        "id_format",
        "warn",
        value=0.05,
        subject="metrics",
        profile={"unknown_id_formats": {"metrics": {"[a-z0-9]{32}": 200}, "features": {}}},
        zh="5.0% 的用户编号格式在 metrics 表中从未出现（[a-z0-9]{32}），多于 1.0%，很可能是另一种编号，例如设备号。",
        en=(
            "5.0% of users have ids of a form that the metrics table does not know ([a-z0-9]{32}), more than 1.0%; "
            "they are probably of another kind, such as devices."
        ),
    ),
    "many ids are of devices": Case(
        "id_format",
        "fail",
        value=0.3,
        subject="features",
        profile={"unknown_id_formats": {"metrics": {}, "features": {"[A-Z0-9-]{36}": 1200}}},
        zh="30.0% 的用户编号格式在 features 表中从未出现（[A-Z0-9-]{36}），超过 20.0%，这些用户的数值缺失或为零，结果不可靠。",
        en=(
            "30.0% of users have ids of a form that the features table does not know ([A-Z0-9-]{36}), more than 20.0%; "
            "their values are missing or zero, so the result can't be relied on."
        ),
    ),
    "few users join to features": Case(
        "feature_coverage",
        "fail",
        value=0.25,
        profile={"units_without_features": 1000},
        zh="没有任何特征的用户占 25.0%，超过 20.0%，规则难以描述他们，编号也可能没有对上。",
        en=(
            "25.0% of users have no feature at all, more than 20.0%; rules can hardly describe them, and ids may not "
            "match."
        ),
    ),
    "hardly a user has a record": Case(
        "metric_coverage",
        "warn",
        value=0.9,
        profile={"units_without_metrics": 3600},
        zh="没有任何指标记录的用户占 90.0%，偏多（注意线 80.0%）。",
        en="90.0% of users have no record of any metric, more than 80.0%.",
    ),
    "many users are left out of a mean for lack of records": Case(
        "metric_coverage",
        "fail",
        value=0.25,
        statement={"metrics": [METRICS[0] | {"aggregate": "mean"}, METRICS[1]]},
        spoil=setting(y__minutes=lambda users, new: users["y__minutes"].where(np.arange(N) % 8 > 1)),
        zh="没有主指标数值而未计入的用户占 25.0%，超过 20.0%，结果只说明其余用户。",
        en=(
            "25.0% of users have no value of the primary metric and are left out, more than 20.0%; the result speaks "
            "of the others only."
        ),
    ),
}
