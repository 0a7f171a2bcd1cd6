"""What a login costs the pooler: 16 clients that log in and leave."""
from load import Helper
from window import Window

CLIENTS = 16
OF_TARGET = {"auth", "iterations", "certificate"}   # options of a scenario that are the target's as long as it lasts


class _Turns:
    """One target with the clients that belong to it, as long as the scenario lasts."""

    def __init__(self, bench, target, scenario):
        self.bench, self.target, self.count = bench, target, scenario.opt["count"]
        target.stop()
        for name in OF_TARGET & set(scenario.opt):
            setattr(target, name, scenario.opt[name])
        target.start()
        # a server connection must have been there once before anybody can be welcomed
        self.helper = Helper(bench, "logins", target.conninfo(scenario.tls), CLIENTS, self.count)
        self.helper.expect("ready")
        self.helper.tell("go", "done")

    def take(self):
        window = Window(self.bench, self.target, [self.helper.client])
        window.open()
        seconds = float(self.helper.tell("go", "done")[0])
        window.close()
        figures = window.common(self.bench.server.connections_of(self.target.user))
        figures.update(cpu_login=window.cpu_ns / self.count / 1e3, login_rate=self.count / seconds)
        return figures

    def end(self):
        self.helper.finish()
        self.target.stop()
        for name in OF_TARGET & set(vars(self.target)):
            delattr(self.target, name)
        self.target.start()


def run(bench, targets, scenario, rounds):
    turns = {t: _Turns(bench, t, scenario) for t in targets}
    out = {t: [] for t in targets}
    for number in range(rounds):
        for t in bench.in_turn(targets, number):
            out[t].append(turns[t].take())
    for t in turns.values():
        t.end()
    return out
