"""Fetching URLs that strangers chose: checked addresses, caps on everything, polite retries, robots.txt.

Start at `fetcher.Fetcher`.
"""
