-- What a shop teaches the people of its providers, and what each of them has passed. All of it belongs to the shop.

-- Versions never change: a new text or a new pass mark is a new version.
create table training_pack (
  shop_id uuid not null references shop,
  version int not null check (version >= 1),
  articles jsonb not null,               -- dispatcher/training/model.py: Article
  rules jsonb not null,                  -- Rules
  renew boolean not null default false,  -- what was passed under an earlier version counts no more
  created_at timestamptz not null default clock_timestamp(),
  created_by uuid not null,
  primary key (shop_id, version)
);
select wall_shop('training_pack');
revoke update, delete on training_pack from wangxin_web;

-- Every try of a step. What was asked and said stays beside its score.
create table training_attempt (
  shop_id uuid not null references shop,
  id uuid not null,
  provider_id uuid not null references provider,
  agent_id uuid not null,
  step text not null check (step in ('exam', 'drill', 'typing', 'practice')),
  pack_version int not null,
  content jsonb not null,                -- what is asked, with the right answers
  answers jsonb not null default '[]',
  started_at timestamptz not null default clock_timestamp(),
  begun_at timestamptz,                  -- typing: the first key
  finished_at timestamptz,
  score int,                             -- per mille; typing: characters a minute
  passed boolean,
  judged_by uuid,                        -- a trainer who decided otherwise than the rule
  note text not null default '',
  primary key (shop_id, id),
  foreign key (shop_id, pack_version) references training_pack (shop_id, version)
);
create index training_attempt_by_agent on training_attempt (agent_id, shop_id, step, started_at desc);
select wall_shop('training_attempt');
create unique index training_attempt_open on training_attempt (shop_id, agent_id, step) where finished_at is null;

-- A certificate taken back: what was passed before counts no more.
create table training_revoked (
  shop_id uuid not null references shop,
  agent_id uuid not null,
  at timestamptz not null default clock_timestamp(),
  by uuid not null,
  reason text not null,
  primary key (shop_id, agent_id, at)
);
select wall_shop('training_revoked');
revoke update, delete on training_revoked from wangxin_web;
