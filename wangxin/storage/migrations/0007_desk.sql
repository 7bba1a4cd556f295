-- The agent's desk: canned replies, and what colleagues should remember about a shopper.

create table canned_reply (
  shop_id uuid not null references shop,
  id uuid not null,
  owner_id uuid,                       -- an account; null: the whole shop's
  code text not null check (code ~ '^[a-z0-9]{1,12}$'),
  title text not null check (char_length(title) between 1 and 40),
  body text not null check (char_length(body) between 1 and 1000),
  topic text not null default '',
  initials text not null default '',   -- first letters of the title's pinyin, for finding it
  used int not null default 0,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id),
  unique nulls not distinct (shop_id, owner_id, code)
);
select wall_shop('canned_reply');

create table shopper_remark (
  shop_id uuid not null,
  shopper_id uuid not null,
  text text not null default '',
  starred boolean not null default false,
  written_by uuid not null,
  written_name text not null default '',
  written_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, shopper_id),
  foreign key (shop_id, shopper_id) references shopper (shop_id, id)
);
select wall_shop('shopper_remark');

-- An agent's ended conversations, newest first.
create index conversation_by_agent on conversation (shop_id, agent_id, closed_at desc) where agent_id is not null;
