"""The crash harness: seeded schedules of faults, kills and overlapping tries, judged by the simulator's record.

One schedule is one send and one wait in a world whose time is an event queue. The machines of `delivery/` are
generators, so a process is a generator that is stepped effect by effect and can end before, in the middle of and
after each. Bytes are real: `omni/api.py` builds them, `omni/responses.py` reads what the simulator's engine answers.

    world.py        time, the simulator, the network between it and the processes
    fake_stores.py  what is kept: task state behind its fence, XCom, a ledger's folder
    processes.py    a process: a machine, stepped; what it submits; its crash point
    schedule.py     what a seed means
    tasks.py        Airflow's part in a send: tries, retries, clears
    waits.py        Airflow's part in a wait: triggers that are run again, pokes, reschedules
    reports.py      delivery reports: where a task shows them, what is promised of them
    checker.py      what is right, by the simulator's record alone
    running.py      a seed in, a result out
    mutating.py     rules that are taken out, and schedules led to where they matter
    mutants.py, wait_mutants.py    the send and the wait with one rule taken out: the harness must notice
    __main__.py     python -m tests.crash --schedules 20000

Batches (`--batches`) share all that, and have parts of their own: many requests on several connections, a source that
changes, a ledger whose reads and writes are slow, fail, and are moments to die at.

    batch_schedule.py    what a seed means
    breaking_workspace.py  workspaces that fail
    batch_tasks.py       tries, retries, clears
    batch_checker.py     who got how many messages; the receipt
    batch_outcomes.py    the wait's end, every row of the ledger, the unreached
    batch_running.py     a seed in, a result out
    batch_mutants.py     the same with one rule taken out

Alerts (`--alerts`) have no wait and no retries: several processes run one callback, and know nothing of each other.

    alert_schedule.py    what a seed means
    alerts.py            the processes, the judge, a seed in and a result out
    alert_mutants.py     the same with one rule taken out

A crash point is drawn by position (the n-th effect), or named by the label of an effect, as in
`CrashPoint("POST", Phase.DURING)`; the labels in the order of a life:

    record read             what earlier tries have written down
    taken over              the write after which this try is the current one: the record, the index, its file in tries/
    plan written            a part of plan/ or quarantine/
    intent written          what is about to be posted is on record. A batch: what counts, the part or the index
    fence checked           a batch's look, after its intents and before their POSTs, whether another try has taken over
    receipt published       the receipt that tells of it, before it is posted
    POST                    before: nothing was posted; during: it was taken, or will be, and nobody has the answer
    outcome written         what an answer, or the logs, have said
    logs asked              a look into the logs: for what is unknown, for a record that is lost, by a wait
    last receipt published  a receipt at the end of a try
    end written             what a ledger holds when its try has ended
    journal read            what an earlier copy of a wait has heard
    reports read            a page of reports, which the vendor hands out once
    journal written         what was heard, before anything is decided from it
    singles marked          that messages are followed by their own ids, before anything is read by these
"""
