-- The tables of to_postgres.py: the orders, and a marker for each object whose orders are in.
CREATE TABLE IF NOT EXISTS orders (
  number bigint NOT NULL,
  customer text NOT NULL,
  cents bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS loads (
  bucket text NOT NULL,
  key text NOT NULL,
  etag text NOT NULL,
  orders bigint,
  loaded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, key, etag)
);
