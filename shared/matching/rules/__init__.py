"""The matching rules, one a file; `shared.matching.panel.registry` finds them."""
