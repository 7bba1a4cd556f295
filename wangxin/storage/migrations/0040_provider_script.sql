-- What a provider's own trainer teaches his people about one shop, beside the shop's pack: scripts to read, and questions
-- that come into the exam and the practice. Versions never change; the marks stay the shop's.

create table provider_script (
  shop_id uuid not null references shop,
  provider_id uuid not null references provider,
  version int not null check (version >= 1),
  articles jsonb not null,               -- dispatcher/training/model.py: Article
  questions jsonb not null,              -- Question
  created_at timestamptz not null default clock_timestamp(),
  created_by uuid not null,
  primary key (shop_id, provider_id, version)
);
select wall_shop('provider_script');
revoke insert, update, delete on provider_script from wangxin_web;
