-- What a dispatcher that takes over needs to go on with an open offer: under which pool it would be served, why, and the
-- giver's own mark of a transfer. Offers of before have no pool: they are made again.

alter table offer
  add column pool_id uuid,
  add column reason text not null default 'ring',
  add column ref text not null default '';
