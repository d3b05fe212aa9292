"""Requests of users whose arm was drawn per user, with rewards of known mean."""

from dataclasses import dataclass

import numpy as np

SHARES = np.array([0.4, 0.3, 0.3])


@dataclass(frozen=True)
class Randomised:
    """``expected`` is the mean reward of every arm, shape (n, 3); preferences and interest are the true ones."""

    reward: np.ndarray
    arm: np.ndarray
    users: np.ndarray
    preference: np.ndarray
    interest: np.ndarray
    expected: np.ndarray

    def arguments(self):
        return {
            "reward": self.reward,
            "arm": self.arm,
            "preference": self.preference,
            "interest": self.interest,
            "propensity": SHARES,
            "users": self.users,
        }

    def true_value(self, decided):
        return self.expected[np.arange(len(decided)), decided].mean()


def randomised(users, seed, *, requests=5, cost=(0.0, 0.0), noise=2.0):
    """Each treatment of a request takes ``cost`` beyond what r_k y_k says: its best threshold is that cost."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), requests)
    preference = random.gamma(9.0, 1.0, size=(users, 1)) + random.normal(scale=1.0, size=(users, 3)) * [0, 1, 1] + 1
    preference = np.maximum(preference, 0.1)[user]
    interest = random.gamma(20.0, 1 / 20.0, size=(len(user), 2))
    expected = preference.copy()
    expected[:, 1:] = interest * preference[:, 1:] - np.array(cost)
    arm = random.choice(3, size=users, p=SHARES)[user]
    reward = expected[np.arange(len(user)), arm] + random.normal(scale=noise, size=users)[user]
    return Randomised(reward + random.normal(scale=noise, size=len(user)), arm, user, preference, interest, expected)
