"""FSM's Helm chart: its values and ``--set``, stored releases, commands; to settings and back."""
