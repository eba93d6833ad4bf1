"""The console: the screens on which compliance staff clear, watch and prove."""
