"""City packs: reading a folder of configuration, comparing it with the living city, and applying it.

    read.read_pack(folder) -> Pack          all mistakes at once
    plan.make_plan(pack) -> Plan            what would change
    apply.load_city(name) -> Plan           reads, plans, asks, applies in one transaction

Stands above `places`, `parties` and `cases`, whose tables it writes; only the command line imports it.
"""
