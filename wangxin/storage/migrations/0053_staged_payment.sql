-- An order may be paid in two parts: a deposit, by which it is bought, and later the balance, which brings the money.
alter table shop_order add deposit_fen bigint not null default 0 check (deposit_fen >= 0);
alter table shop_order add settled_at timestamptz;  -- when all of it was paid; of one without a deposit: paid_at
