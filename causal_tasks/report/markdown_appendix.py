"""The part of the Markdown report that is for data scientists."""

from causal_tasks.report.content import Content
from causal_tasks.report.markdown_writing import effect_text, escaped, fenced, heading, subheading, table


def appendix(content: Content) -> list[str]:
    """The blocks on estimators, heterogeneity, drivers, curves, evidence, placebo runs, models and SQL."""
    return [
        *_estimates(content),
        *_differences(content),
        *_heterogeneity(content),
        *_drivers(content),
        *_curves(content),
        *_evidence(content),
        *_chance(content),
        *_models(content),
        *_candidates(content),
        *_sql(content),
    ]


def _estimates(content: Content) -> list[str]:
    text = content.text
    if not content.estimates:
        return []
    columns = ["treatment", "method", "effect", "interval", "variance", "equivalent", "note"]
    rows = [
        [
            row.treatment or content.treatments[0],
            f"{row.method} ({text('estimates.headline')})" if row.is_headline else row.method,
            f"{row.effect.arrow} {row.effect.estimate}",
            row.effect.interval,
            row.variance,
            row.users,
            text("words.semicolon").join(row.notes) or text("words.dash"),
        ]
        for row in content.estimates
    ]
    return [
        heading(content, "estimates"),
        table([text(f"columns.{name}") for name in columns], rows),
        escaped(text("estimates.note")),
    ]


def _differences(content: Content) -> list[str]:
    text, section = content.text, content.differences
    if section is None:
        return []
    rows = [
        [row.metric, row.treatment or content.treatments[0], effect_text(row.effect), row.effect.word, row.n]
        for row in section.rows
    ]
    columns = ["metric", "treatment", "value", "conclusion", "n"]
    blocks = [heading(content, "did"), table([text(f"columns.{name}") for name in columns], rows)]
    for study in section.studies:
        blocks += [text("curve.arm", arm=escaped(study.treatment))] if study.treatment else []
        blocks += [
            f"**{escaped(study.title)}**",
            table([text(f"columns.{name}") for name in ("days", "difference", "interval")], study.rows),
            escaped(study.caption),
        ]
    return blocks


def _heterogeneity(content: Content) -> list[str]:
    text = content.text
    blocks = [heading(content, "heterogeneity")] if content.heterogeneity else []
    for section in content.heterogeneity:
        blocks += [text("curve.arm", arm=escaped(section.treatment))] if section.treatment else []
        blocks.append(table([text("heterogeneity.test"), text("columns.value"), text("columns.p")], section.tests))
        blocks += [
            f"**{escaped(told.title)}** {escaped(told.caption)}" for told in (section.toc, section.calibration) if told
        ]
        if section.groups:
            headings = [text(f"groups.columns.{name}") for name in ("group", "n", "predicted", "measured")]
            blocks += [
                f"**{escaped(section.groups.title)}**",
                table([*headings, text("columns.interval")], section.groups.rows),
            ]
    return blocks


def _drivers(content: Content) -> list[str]:
    text = content.text
    blocks = [heading(content, "drivers")] if content.drivers else []
    columns = [text(f"drivers.columns.{name}") for name in ("feature", "top", "bottom", "difference", "standardized")]
    for section in content.drivers:
        blocks += [text("curve.arm", arm=escaped(section.treatment))] if section.treatment else []
        if section.bars:
            blocks += [
                f"**{escaped(section.title)}**",
                "\n".join(f"- {escaped(bar.label)}: {escaped(bar.numbers)}" for bar in section.bars),
            ]
        if section.characteristics:
            blocks += [text("drivers.characteristics"), table(columns, section.characteristics)]
    return blocks


def _curves(content: Content) -> list[str]:
    columns = ["bucket", "n_control", "n_treatment", "mean_control", "mean_treatment", "difference", "interval"]
    blocks = [heading(content, "curve")] if content.curves else []
    for curve in content.curves:
        blocks += [content.text("curve.arm", arm=escaped(curve.treatment))] if curve.treatment else []
        blocks += [
            f"**{escaped(curve.title)}**",
            escaped(curve.caption),
            table([content.text(f"columns.{name}") for name in columns], curve.buckets),
        ]
    if content.curves and content.several_treatments:
        blocks.append(escaped(content.text("curve.note")))
    return blocks


def _evidence(content: Content) -> list[str]:
    """The effect of each rule on the users on whom it was found, beside the honest one."""
    text = content.text
    rows = [
        [
            rule.who,
            effect_text(rule.effect),
            effect_text(rule.in_sample),
            text("words.semicolon").join(rule.cuts) or text("words.dash"),
        ]
        for rule in content.segments.shown
        if rule.in_sample
    ]
    if not rows:
        return []
    headings = [text("columns.rule"), text("columns.value"), text("segment.in_sample"), text("segment.cuts")]
    return [heading(content, "evidence"), table(headings, rows)]


def _chance(content: Content) -> list[str]:
    text, section = content.text, content.chance
    if section is None:
        return []
    names = ("run", "examined", "discovered", "promising", "confirmed")
    headings = [text(f"chance.columns.{name}") for name in names]
    return [f"## {text('chance.title')}", escaped(section.sentence), table(headings, section.rows)]


def _models(content: Content) -> list[str]:
    """Which entrant won, and what tuning gained."""
    text, section, tuning = content.text, content.models, content.tuning
    columns = ["candidate", "parameters", "auuc", "to_winner", "state"]
    rows = [[row.candidate, row.parameters, row.auuc, row.to_winner, row.state_word] for row in section.board]
    blocks = [heading(content, "models"), f"**{escaped(section.title)}**", escaped(section.standing)]
    if rows:
        blocks += [table([text(f"columns.{name}") for name in columns], rows), escaped(text("models.note"))]
    blocks += [escaped(section.failures)]
    if tuning:
        panels = [f"- {escaped(panel.candidate)}: {escaped(panel.title)}" for panel in tuning.panels]
        blocks += [subheading(escaped(tuning.title)), "\n".join(panels), escaped(tuning.caveat)]
    return [block for block in blocks if block]


def _candidates(content: Content) -> list[str]:
    text, section = content.text, content.models
    columns = ["candidate", "state", "auuc", "spread", "seconds", "memory", "device", "remarks"]
    rows = [
        [
            row.candidate,
            row.state_word,
            " · ".join([row.auuc, *row.by_treatment]),
            " · ".join(row.spread),
            row.seconds,
            row.memory,
            row.device,
            "; ".join(row.remarks),
        ]
        for row in section.candidates
    ]
    failed = [[row.candidate, text("models.failed"), *[text("words.dash")] * 5, row.reason] for row in section.failed]
    blocks = []
    if rows or failed:
        blocks = [
            subheading(text("headings.candidates")),
            escaped(text("models.discovery")),
            table([text(f"columns.{name}") for name in columns], rows + failed),
        ]
    untuned = [text("models.tuning_failure", name=row.candidate, reason=row.reason) for row in section.tuning_failed]
    return [*blocks, *map(escaped, untuned), escaped(section.features)]


def _sql(content: Content) -> list[str]:
    if not content.segments.shown:
        return []
    blocks = [heading(content, "sql")]
    for segment in content.segments.shown:
        blocks += [content.text("curve.arm", arm=escaped(segment.treatment))] if segment.treatment else []
        blocks.append(fenced(segment.sql, "sql"))
    return blocks
