"""The command line ``fsm-stack``: one file a topic; a verb loads, calls, prints and exits."""
