"""The corrected example rewritten with its meaning kept, spoilt in one place, and robbed of its evidence: what the rules must say then."""
