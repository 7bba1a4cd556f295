-- Canned replies of a pool: whoever sits in it has them in every shop the pool serves. Its leader writes them: the
-- provider's of an outsourced pool, the merchant or a supervisor of an own one.
create table pool_reply (
  owner_id uuid not null,
  pool_id uuid not null,
  id uuid not null,
  code text not null check (code ~ '^[a-z0-9]{1,12}$'),
  title text not null check (char_length(title) between 1 and 40),
  body text not null check (char_length(body) between 1 and 1000),
  topic text not null default '',
  initials text not null default '',
  used int not null default 0,
  changed_at timestamptz not null default clock_timestamp(),
  changed_by uuid not null,              -- an account
  primary key (pool_id, id),
  unique (pool_id, code),
  foreign key (owner_id, pool_id) references pool (owner_id, id)
);
alter table pool_reply enable row level security;
create policy owner_wall on pool_reply to wangxin_web using (
  owner_id = any(wall_shops())
  or exists (select 1 from contract c where c.shop_id = any(wall_shops()) and pool_id = any(c.pool_ids)))
  with check (owner_id = any(wall_shops()));
grant select, insert, update, delete on pool_reply to wangxin_web;
