"""The simulated experiment as its owner would state it: a music app tests "play the next album by itself"."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from causal_tasks.experiment import Experiment, Mining

CONTROL = "control"
LEVELS: dict[str, tuple[str, ...]] = {
    "gender": ("female", "male"),
    "city_tier": ("T1", "T2", "T3", "T4"),
    "device": ("Android", "HarmonyOS", "iOS"),
    "member_level": ("free", "monthly", "annual", "family"),
    "favourite_genre": ("pop", "rap", "rock", "folk", "electronic", "classical"),
}

_MINUTES, _TIMES, _DAYS = {"zh": "分钟", "en": "min"}, {"zh": "次", "en": "times"}, {"zh": "天", "en": "days"}

_METRICS: tuple[dict[str, Any], ...] = (
    {
        "name": "play_minutes",
        "role": "primary",
        "display": {"zh": "播放时长", "en": "Play time"},
        "unit": _MINUTES,
    },
    {
        "name": "active",
        "aggregate": "any",
        "role": "guardrail",
        "display": {"zh": "活跃用户占比", "en": "Active users"},
    },
    {
        "name": "skips",
        "role": "guardrail",
        "direction": "down",
        "display": {"zh": "切歌次数", "en": "Skips"},
        "unit": _TIMES,
    },
    {
        "name": "songs_played",
        "display": {"zh": "播放歌曲数", "en": "Songs played"},
        "unit": {"zh": "首", "en": "songs"},
    },
    {
        "name": "spend",
        "cap": {"quantile": 0.9995},
        "display": {"zh": "付费金额", "en": "Spend"},
        "unit": {"zh": "元", "en": "CNY"},
    },
)

_FEATURES: dict[str, dict[str, Any]] = {
    "age": {"display": {"zh": "年龄", "en": "Age"}, "unit": {"zh": "岁", "en": "years"}},
    "gender": {"display": {"zh": "性别", "en": "Gender"}, "sensitive": True, "static": True},
    "city_tier": {"display": {"zh": "城市级别", "en": "City tier"}},
    "device": {"display": {"zh": "设备系统", "en": "Device"}},
    "member_level": {"display": {"zh": "会员等级", "en": "Membership"}},
    "favourite_genre": {"display": {"zh": "最常听的曲风", "en": "Favourite genre"}},
    "tenure_days": {"display": {"zh": "注册天数", "en": "Days since sign-up"}, "unit": _DAYS},
    "is_new": {"display": {"zh": "新用户", "en": "New user"}},
    "sessions_7d": {"display": {"zh": "近 7 天启动次数", "en": "Sessions in 7 days"}, "unit": _TIMES},
    "playlists": {"display": {"zh": "歌单数", "en": "Playlists"}, "unit": {"zh": "个", "en": "playlists"}},
    "followed_artists": {
        "display": {"zh": "关注歌手数", "en": "Followed artists"},
        "unit": {"zh": "位", "en": "artists"},
    },
    "night_share": {"display": {"zh": "夜间收听占比", "en": "Share of listening at night"}},
    "ads_clicked": {"display": {"zh": "近 7 天广告点击次数", "en": "Ads clicked in 7 days"}, "unit": _TIMES},
    "country": {"display": {"zh": "国家", "en": "Country"}},
    "install_id": {"display": {"zh": "安装编号", "en": "Installation id"}, "static": True, "actionable": False},
}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of the experiment; a day is its distance from the first enrolment day, which is day 0.

    Attributes:
        first_day: Business day on which enrolment begins.
        timezone: Zone that defines a business day.
        enrolment_days: Days on which all but a few late users enrol.
        window_days: Length of the outcome window, from the day of exposure.
        pre_days: Days with metrics before day 0.
    """

    first_day: date
    timezone: str
    enrolment_days: int
    window_days: int
    pre_days: int

    @property
    def end(self) -> int:
        """The day of ``ended_at``, which no outcome window may touch; the last enrolment's window just fits."""
        return self.enrolment_days + self.window_days - 1

    @property
    def metric_days(self) -> np.ndarray:
        """Days with metric rows: two of them are late, at and after the end."""
        return np.arange(-self.pre_days, self.end + 2)

    @property
    def snapshot_days(self) -> np.ndarray:
        """Days of the weekly feature snapshots: one before everybody's exposure, and one still older."""
        return np.arange(-8, self.end, 7)

    def weekdays(self, days: np.ndarray) -> np.ndarray:
        """Day of the week, Monday is 0."""
        return (self.first_day.weekday() + days) % 7

    def dates(self, days: np.ndarray) -> np.ndarray:
        """Calendar dates as ``datetime64[D]``."""
        return np.datetime64(self.first_day, "D") + days

    def midnight(self, day: int) -> datetime:
        """The moment at which a business day begins."""
        on = self.first_day + timedelta(days=day)
        return datetime(on.year, on.month, on.day, tzinfo=ZoneInfo(self.timezone))


def state_experiment(
    experiment_id: str,
    treatments: Sequence[str],
    calendar: Calendar,
    *,
    status: Literal["running", "finished"],
    mining: Mining,
) -> Experiment:
    """The experiment file of the simulated experiment.

    Raises:
        InputError: An id, a label or a length is not allowed.
    """
    statement = {
        "experiment_id": experiment_id,
        "name": "专辑播完自动续播 Autoplay next album",
        "owner": "music-growth",
        "status": status,
        "started_at": calendar.midnight(0),
        "ended_at": calendar.midnight(calendar.end),
        "control": CONTROL,
        "treatments": tuple(treatments),
        "window": {"days": calendar.window_days, "pre_days": calendar.pre_days, "timezone": calendar.timezone},
        "metrics": _METRICS,
        "features": {"dictionary": _FEATURES},
        "mining": mining,
    }
    return Experiment.parse(statement, source=f"simulated experiment {experiment_id!r}")
