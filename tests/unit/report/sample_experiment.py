"""The experiment of the sample: a music app that starts the next album by itself."""

from typing import Any

from causal_tasks.experiment import Experiment
from tests.unit.report import sample_models as models

STATEMENT: dict[str, Any] = {
    "experiment_id": "music_autoplay",
    "name": "自动连播下一张专辑",
    "owner": "growth",
    "status": "finished",
    "started_at": "2026-09-07T00:00:00+08:00",
    "ended_at": "2026-10-05T00:00:00+08:00",
    "control": "control",
    "treatments": ["treatment"],
    "window": {"days": 7, "pre_days": 14},
    "metrics": [
        {
            "name": "play_minutes",
            "role": "primary",
            "cap": {"quantile": 0.999},
            "display": {"zh": "播放时长", "en": "play time"},
            "unit": {"zh": "分钟", "en": "minutes"},
        },
        {"name": "active", "aggregate": "any", "role": "guardrail", "display": {"zh": "活跃率", "en": "share active"}},
        {"name": "skips", "direction": "down", "display": {"zh": "切歌次数", "en": "skips"}, "unit": {"zh": "次"}},
        {"name": "spend", "display": {"zh": "付费金额", "en": "spend"}, "unit": {"zh": "元", "en": "yuan"}},
    ],
    "features": {
        "dictionary": {
            "age": {"display": {"zh": "年龄", "en": "age"}},
            "night_share": {"display": {"zh": "夜间收听占比", "en": "share of night listening"}},
            "member_level": {"display": {"zh": "会员等级", "en": "member level"}},
            "tenure_days": {"display": {"zh": "注册天数", "en": "days since sign-up"}},
            "device": {"display": {"zh": "设备", "en": "device"}},
        }
    },
    "mining": {"candidates": list(models.CANDIDATES)},
}


def experiment(**changes: Any) -> Experiment:
    """The sample experiment with some fields changed."""
    return Experiment.model_validate(STATEMENT | changes)


def names():
    return experiment().features.display_names()
