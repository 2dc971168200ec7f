"""In what order processes run, and what a budget of time leaves of it.

Without a budget one setting (model, size, batch) is finished before the next begins. With one, everything is seen once before
anything is seen twice, and of everything the important tiers (arms.gpu_tiers) come first. Ratios are paired within a *group*:
arms of one setting that run one after the other, each precision's reference among them."""

import dataclasses

import arms


@dataclasses.dataclass(frozen=True)
class Slot:
    """One process to be run."""

    setting: tuple  # model, pixels, batch
    group: str  # what is paired: "2" is the second round, "2.1" its second tier
    arm: str
    threads: int
    timed: bool = True
    again: bool = False  # a reference that another group holds already: alone it is worth nothing

    @property
    def round(self):
        return int(self.group.split(".")[0])


def groups(settings, names, rounds, threads, other_counts, budgeted):
    """Lists of slots, in order."""
    if not budgeted:
        for setting in settings:
            for k in range(rounds):
                yield [Slot(setting, str(k + 1), arm, threads) for arm in names]
            for n in other_counts:
                yield [Slot(setting, str(rounds + 1), arm, n, timed=False) for arm in names]
        return
    tiers = sorted({arms.tier_of(name) for name in names})
    for k in range(rounds):
        for tier in tiers:
            for setting in settings:
                yield [Slot(setting, f"{k + 1}.{tier}", arm, threads) for arm in names if arms.tier_of(arm) == tier]
    for setting in settings:
        for n in other_counts:
            yield [Slot(setting, str(rounds + 1), arm, n, timed=False) for arm in names]


def with_references(group, names, dead, wanted=None):
    """The group with a reference in front for each precision that has none in it: the arm that is wanted, else the first of ours
    in that precision that was not found dead. `dead` holds (setting, arm)."""
    if not group or not group[0].timed:
        return group
    setting, front = group[0].setting, []
    for precision in dict.fromkeys(arms.parse(slot.arm).precision for slot in group):
        able = [name for name in names if arms.parse(name).precision == precision and (setting, name) not in dead]
        reference = wanted if wanted in able else next((name for name in able if arms.parse(name).peer == "detbench"), None)
        if reference and reference not in {slot.arm for slot in group}:
            front.append(dataclasses.replace(group[0], arm=reference, again=True))
    return front + group


class Clock:
    """What a process will probably take, from what others took: at first a guess that is rather too long."""

    guesses = {"detbench": 10, "tensorflow": 60, "pytorch": 40, "jax": 75}
    compiling = 60  # more, of torch.compile's first process

    def __init__(self):
        self.taken = []  # (setting, arm, seconds)

    def add(self, setting, arm, elapsed_s):
        self.taken.append((setting, arms.parse(arm), elapsed_s))

    def estimate_s(self, setting, name):
        arm = arms.parse(name)
        kind = lambda a: (a.peer, a.execution, bool(a.setting))
        same = [s for where, a, s in self.taken if a.name == name and where == setting]
        if same:
            return same[-1]
        for alike in (lambda a: a.name == name, lambda a: kind(a) == kind(arm)):
            seen = [s for _, a, s in self.taken if alike(a)]
            if seen:
                # Another network or batch: half as much again.
                return 1.5 * max(seen)
        return self.guesses[arm.peer] + (self.compiling if arm.execution.startswith("compiled") else 0)


def worth_beginning(group, clock, left_s):
    """Whether something of the group that is not there yet fits, with its references, into the seconds that are left."""
    references = sum(clock.estimate_s(slot.setting, slot.arm) for slot in group if slot.again)
    return any(references + clock.estimate_s(slot.setting, slot.arm) <= left_s for slot in group if not slot.again)
