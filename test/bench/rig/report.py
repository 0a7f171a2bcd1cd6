"""Medians, spread, ratios; the readable table and the TSV."""
import statistics

from scenario import FIGURES

REFERENCE, OURS = "pgbouncer", "fynixpool"   # whose ratios are shown


class Results:
    """figures[scenario name][target spec] = one dict of figures per round."""

    def __init__(self, scenarios, targets):
        self.scenarios, self.targets = scenarios, targets
        self.rounds = {s.name: {t.spec: [] for t in targets} for s in scenarios}

    def add(self, scenario, found):
        """`found` is what a scenario's run gave: {target: [figures of each round]}."""
        for target, rounds in found.items():
            self.rounds[scenario.name][target.spec] = rounds

    def derive(self):
        """Figures that need another target of the same round: the latency that was added over direct."""
        for by_target in self.rounds.values():
            for spec, rounds in by_target.items():
                for own, direct in zip(rounds, by_target.get("direct", [])):
                    if spec != "direct" and "p50" in own:
                        own["added_p50"] = own["p50"] - direct["p50"]

    def values(self, scenario, target, figure):
        return [r[figure] for r in self.rounds[scenario.name][target.spec] if r.get(figure) is not None]

    def median(self, scenario, target, figure):
        """The median of the rounds (the sum, where that is what the figure means), or None."""
        values = self.values(scenario, target, figure)
        if not values:
            return None
        return sum(values) if FIGURES[figure][2] == "sum" else statistics.median(values)

    def spread(self, scenario, target, figure):
        """Half the distance between the quartiles of the rounds, in per cent of the median."""
        values = self.values(scenario, target, figure)
        middle = statistics.median(values) if values else 0
        if not middle or len(values) < 2 or FIGURES[figure][2] not in ("less", "more"):
            return None
        low, _, high = statistics.quantiles(values, method="inclusive")
        return 50.0 * (high - low) / abs(middle)

    def reference(self):
        return next((t for t in self.targets if t.spec == REFERENCE), None)

    def ratio(self, scenario, target, figure):
        """Median and quartiles of the rounds' own ratios to PgBouncer's, or None. Two rounds that ran side by side share
        what the machine did to both, so this moves less than the ratio of the medians."""
        ref = self.reference()
        if ref is None or target is ref or FIGURES[figure][2] not in ("less", "more"):
            return None
        own, other = self.values(scenario, target, figure), self.values(scenario, ref, figure)
        if not own or len(own) != len(other) or min(other) <= 0 or min(own) <= 0:
            return None
        pairs = [a / b for a, b in zip(own, other)]
        low, _, high = statistics.quantiles(pairs, method="inclusive") if len(pairs) > 1 else pairs * 3
        return statistics.median(pairs), low, high

    @staticmethod
    def goal(scenario, target, figure):
        """The ratio to keep to, or None."""
        goals = scenario.goals.get(figure, {})
        return next((goals[k] for k in target.judged_as if goals.get(k) is not None), None)

    def verdicts(self):
        """(scenario, target, figure, value as text, goal as text, met) for every goal that this run could judge."""
        for s in self.scenarios:
            for t in self.targets:
                for figure in s.goals:
                    goal, ratio = self.goal(s, t, figure), self.ratio(s, t, figure)
                    if goal is not None and ratio is not None:
                        more = FIGURES[figure][2] == "more"
                        yield (s, t, figure, "%.2f" % ratio[0], "%s %.2f" % ("≥" if more else "≤", goal),
                               ratio[0] >= goal if more else ratio[0] <= goal)
                for figure, limit in s.limits.items():
                    value = self.median(s, t, figure)
                    if t.judged_as and value is not None:
                        heading = "%g %s" % (limit, FIGURES[figure][1])
                        yield s, t, figure, "%.2f" % value, "≤ " + heading, value <= limit


def _number(value, digits):
    return "–" if value is None else "{:,.{d}f}".format(value, d=digits)


def _grid(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for r in rows:
        yield "  " + "  ".join([r[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(r[1:], widths[1:])]).rstrip()


def _scenario_table(res, s):
    head = ["", *("%s %s" % (FIGURES[f][0], FIGURES[f][1]) for f in s.figures)]
    rows, ratios = [[h.strip() for h in head]], []
    for t in res.targets:
        if not res.rounds[s.name][t.spec]:
            continue
        row = [t.spec]
        for f in s.figures:
            spread = res.spread(s, t, f)
            row.append(_number(res.median(s, t, f), FIGURES[f][3]) + ("" if spread is None else " ±%.0f%%" % spread))
        rows.append(row)
        found = [res.ratio(s, t, f) for f in s.figures]
        if (t.name.startswith(OURS) or t.name == REFERENCE) and any(found):
            ratios.append(["%s / %s" % (t.spec, REFERENCE)] + ["" if r is None else "%.2f" % r[0] for r in found])
            ratios.append(["  quartiles of rounds"]
                          + ["" if r is None else "%.2f–%.2f" % r[1:] for r in found])
    return list(_grid(rows + ratios))


def text(res, facts):
    out = ["Comparison of ways to reach one PostgreSQL; medians of alternating rounds, ± half the quartile range", ""]
    out += ["  %-22s %s" % kv for kv in facts]
    for s in res.scenarios:
        lines = _scenario_table(res, s)
        if len(lines) > 1:
            out += ["", "%s: %s" % (s.name, s.what)] + lines
    judged = list(res.verdicts())
    if judged:
        out += ["", "Goals (ratios to PgBouncer's, where no unit is given)"]
        out += list(_grid([["", "is", "goal", ""]] + [
            ["%s %s, %s" % (s.name, FIGURES[f][0], t.spec), value, goal, "met" if met else "MISSED"]
            for s, t, f, value, goal, met in judged]))
    return "\n".join(out) + "\n"


def tsv(res, facts):
    """Comment lines with the facts; then one line per figure of every round, then one per median (or sum)."""
    out = ["# %s\t%s" % kv for kv in facts]
    out.append("kind\tscenario\ttarget\tround\tfigure\tunit\tvalue\tlowest\thighest\tratio\tratio_q1\t"
               "ratio_q3\tgoal")
    for s in res.scenarios:
        for t in res.targets:
            for number, figures in enumerate(res.rounds[s.name][t.spec], 1):
                for f in s.figures:
                    if figures.get(f) is not None:
                        out.append("\t".join(["round", s.name, t.spec, str(number), f, FIGURES[f][1] or "1",
                                              "%.6g" % figures[f], "", "", "", "", "", ""]))
    for s in res.scenarios:
        for t in res.targets:
            for f in s.figures:
                values = res.values(s, t, f)
                if not values:
                    continue
                ratio = res.ratio(s, t, f)
                goal = res.goal(s, t, f)
                out.append("\t".join(["median", s.name, t.spec, "", f, FIGURES[f][1] or "1"]
                                     + ["%.6g" % v for v in (res.median(s, t, f), min(values), max(values))]
                                     + (["%.4f" % v for v in ratio] if ratio else ["", "", ""])
                                     + ["%g" % goal if goal is not None else ""]))
    return "\n".join(out) + "\n"
