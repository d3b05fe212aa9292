"""Which rules are examined, and which are shown."""

import pytest

from causal_tasks.rule import Condition, Rule
from causal_tasks.subpopulations.rules import Node
from causal_tasks.subpopulations.selection import candidates, shown


def tree(shape, path=(), share=1.0):
    """A tree from nested pairs of leaves ``(share, predicted)``; inner nodes average their children."""
    rule = Rule.of([Condition(feature="x", op=">", value=float(turn)) for turn in path])
    if not isinstance(shape[0], tuple):
        return Node(rule, path, int(1000 * shape[0]), shape[0], shape[1])
    children = tuple(tree(child, (*path, turn)) for turn, child in enumerate(shape))
    share = sum(child.share for child in children)
    predicted = sum(child.share * child.predicted for child in children) / share
    return Node(rule, path, int(1000 * share), share, predicted, children)


def paths(nodes):
    return [node.path for node in nodes]


def show(root, *, sign=1, defined=lambda _: True):
    return paths(shown(root, sign=sign, defined=defined))


MIXED = tree((((0.1, 2.0), (0.1, 2.2)), ((0.3, -1.0), (0.5, 0.1))))


def test_leaves_and_parents_whose_leaves_agree_are_examined_and_the_root_is_not():
    assert paths(candidates(MIXED, sign=1)) == [(0,), (0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_leaf_without_any_split_is_no_candidate():
    assert candidates(tree((1.0, 3.0)), sign=1) == []


def test_leaves_that_gain_alike_are_shown_as_their_parent():
    assert show(MIXED) == [(0,), (1, 0)]


def test_a_leaf_that_gains_far_more_than_its_sibling_is_shown_by_itself():
    root = tree((((0.1, 4.0), (0.1, 0.8)), (0.8, -0.2)))
    assert show(root)[0] == (0, 0)


def test_where_less_is_better_the_same_tree_is_told_the_other_way_round():
    assert show(MIXED, sign=-1) == [(1, 0), (0,)]


def test_users_who_gain_less_than_average_are_no_positive_subpopulation():
    root = tree(((0.3, 0.5), (0.7, 2.0)))
    assert show(root) == [(1,)]


def test_users_who_lose_less_than_average_are_no_negative_subpopulation():
    root = tree(((0.3, -0.5), (0.7, -2.0)))
    assert show(root) == [(1,)]


def test_rules_that_cover_too_much_to_be_confirmed_come_after_those_that_do_not():
    root = tree((((0.35, 1.0), (0.35, 1.2)), (0.3, -0.5)))
    assert show(root) == [(0, 1), (0, 0), (1,)]


def test_shown_rules_share_no_user_and_are_sorted_from_most_positive_to_most_negative():
    root = tree(
        (
            (((0.1, 3.0), (0.1, 0.5)), ((0.1, -4.0), (0.1, -0.5))),
            (((0.1, 5.0), (0.1, -1.0)), ((0.2, 0.1), (0.2, -3.0))),
        )
    )
    nodes = shown(root, sign=1, defined=lambda _: True)
    assert not any(a.overlaps(b) for a in nodes for b in nodes if a is not b)
    predicted = [node.predicted for node in nodes]
    assert predicted == sorted([p for p in predicted if p > 0], reverse=True) + sorted(p for p in predicted if p < 0)


def test_at_most_three_rules_of_each_kind_are_shown():
    leaves = [(0.125, 1.0 if k % 2 else -1.0) for k in range(8)]
    root = tree((((leaves[0], leaves[1]), (leaves[2], leaves[3])), ((leaves[4], leaves[5]), (leaves[6], leaves[7]))))
    assert sum(node.predicted > 0 for node in shown(root, sign=1, defined=lambda _: True)) == 3
    assert len(show(root)) == 6


def test_a_rule_about_which_nothing_can_be_said_makes_room_for_the_next():
    assert show(MIXED, defined=lambda node: node.path != (0,)) == [(0, 1), (0, 0), (1, 0)]


@pytest.mark.parametrize("sign", [1, -1])
def test_no_rule_is_shown_where_nobody_differs(sign):
    assert show(tree(((0.5, 1.0), (0.5, 1.0))), sign=sign) == []
