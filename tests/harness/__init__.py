"""What tests are made with: time that obeys, and the vendor.

clock.py    time that passes when somebody sleeps, and at no other time
driver.py   the loop that steps a machine, with its hooks
fresh.py    Python as it is just after Airflow was imported
wire.py     requests and answers of the sync client, without a server
vendor.py   the simulator on a socket, one server for all tests of a process
"""
