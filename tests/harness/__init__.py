"""The means of tests: one clock, one vendor, one loop with hooks. docs/architecture.md: how a test is written.

clock.py    time that passes when somebody sleeps, and at no other time
driver.py   the loop that steps a machine, with its hooks: what an effect comes to is the test's
direct.py   the vendor: the simulator without a server, calls as values
worker.py   the product's loop, with that vendor and that clock: whole tries and waits
vendor.py   the simulator on a socket, one server for all tests of a process
wire.py     below the sync client: answers that a test says, or the simulator
fresh.py    Python as it is just after Airflow was imported

What has a loop or a clock of its own, and why:

tests/crash/processes.py   Its processes take turns in one queue of events, an effect ends long after it began, and a
                           frozen process goes on in the middle of one: no loop that returns with each effect can do
                           that. Its clock and its vendor are the harness's.
tests/crash/clocks.py      Clocks that are wrong are what it tests. They are set against the world's, which is right.
tests/unit/delivery/test_drivers.py    The product's loops are what it tests: it hands them stubs, and no vendor.
tests/unit/delivery/stage.py           Driver, with a script in place of the vendor: for answers that no vendor gives.
tests/e2e, tests/distributed           Real processes, real kills: their time is the machine's.
"""
