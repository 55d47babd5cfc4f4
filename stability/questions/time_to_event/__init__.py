"""How long do runs go without an event, who recovers, what comes first?"""
