"""The crash harness: seeded schedules of faults, kills and overlapping tries, judged by the simulator's record.

One schedule is one send and one wait in a world whose time is an event queue. The machines of ``delivery/`` are
generators, so a process is a generator that is stepped effect by effect and can end before, in the middle of and
after each. Bytes are real: ``omni/api.py`` builds them, ``omni/answers.py`` reads what the simulator's engine answers.

    world.py        time, the simulator, the network between it and the processes
    keeping.py      what Airflow keeps: task state behind its fence, XCom
    processes.py    a process: a machine, stepped; its mishap
    schedule.py     what a seed means
    tasks.py        Airflow's part: tries, retries, clears, triggers that are run again
    judging.py      what is right, by the simulator's record alone
    running.py      a seed in, a result out
    mutants.py      the same with one rule taken out: the harness must notice
    __main__.py     python -m tests.crash --schedules 20000
"""
