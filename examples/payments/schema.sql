CREATE TABLE balances (account TEXT PRIMARY KEY, cents INTEGER NOT NULL, payments INTEGER NOT NULL) STRICT;

-- How far the balances have come in each shard.
CREATE TABLE positions (shard TEXT PRIMARY KEY, position TEXT NOT NULL) STRICT;
