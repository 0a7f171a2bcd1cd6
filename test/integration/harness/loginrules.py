"""login.rules, read: what must become of a login, and which lines say so."""

import collections
import os

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "login.rules")

Rule = collections.namedtuple("Rule", "line words result")
# where: "in", or the leg that ends it; lines: the rules that said so
Verdict = collections.namedtuple("Verdict", "outcome where lines")


def read():
    sections, words, section = collections.defaultdict(list), {}, None
    with open(PATH) as f:
        for n, text in enumerate(f, 1):
            text = text.split("#")[0].strip()
            if text.startswith("["):
                section = text[1:-1]
            elif text and section == "words":
                outcome, code, sentence = text.split(None, 2)
                words[outcome] = (code, sentence)
            elif text:
                parts = text.split()
                sections[section].append(Rule(n, [None if w == "*" else w.split("|") for w in parts[:-1]], parts[-1]))
    return sections, words


SECTIONS, WORDS = read()


def find(section, *what):
    for rule in SECTIONS[section]:
        assert len(rule.words) == len(what), f"login.rules:{rule.line}"
        if all(w is None or x in w for w, x in zip(rule.words, what)):
            return rule
    return None


def decide(section, *what):
    rule = find(section, *what)
    assert rule, f"login.rules has no line in [{section}] for {what}"
    return rule


def verdict(is_alone, method, way, stored, given, asks, link):
    rule = is_alone and find("alone", method, way, stored, given) or decide("client", method, way, stored, given)
    lines = [rule.line]
    if rule.result != "in":
        return Verdict(rule.result, "client", lines)
    known = decide("known", method, stored)
    rule = decide("server", asks, link, known.result)
    return Verdict(rule.result, "in" if rule.result == "in" else "server", lines + [known.line, rule.line])
