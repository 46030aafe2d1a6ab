"""What tests are made with: time that obeys, and the vendor.

clock.py    time that passes when somebody sleeps, and at no other time
driver.py   the loop that steps a machine, with its hooks
direct.py   the simulator without a server: calls as values
worker.py   the product's loop, with that vendor and that clock: whole tries and waits
fresh.py    Python as it is just after Airflow was imported
wire.py     requests and answers of the sync client, without a server
vendor.py   the simulator on a socket, one server for all tests of a process
"""
