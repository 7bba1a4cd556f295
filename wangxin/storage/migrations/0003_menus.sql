-- Menus in versions that never change, the shop's questions with their phrasings, and what the bot did with each line.

create table menu_version (
  shop_id uuid not null references shop,
  version int not null check (version >= 1),
  document jsonb not null,             -- {greeting, items}
  note text not null default '',
  made_by uuid not null,
  made_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, version)
);
select wall_shop('menu_version');
revoke update, delete on menu_version from wangxin_web;

create table menu_desk (               -- one row a shop: what is published, and the draft
  shop_id uuid primary key references shop,
  published int not null default 0,    -- 0: nothing yet
  draft jsonb,
  draft_revision int not null default 0,
  faq_revision bigint not null default 0,
  drafted_at timestamptz
);
select wall_shop('menu_desk');

create table faq_entry (
  shop_id uuid not null references shop,
  id uuid not null,
  key text not null,                   -- the name the shop's own files give it
  topic text not null default '',
  phrasings text[] not null check (array_length(phrasings, 1) between 1 and 50),
  answer text not null,
  active boolean not null default true,
  asked bigint not null default 0,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id),
  unique (shop_id, key)
);
create index faq_entry_by_topic on faq_entry (shop_id, topic);
select wall_shop('faq_entry');

create table bot_turn (                -- one row for each public line of a shopper that the bot or the menu took up
  shop_id uuid not null,
  thread_id uuid not null,
  seq bigint not null,
  conversation_id uuid,
  at timestamptz not null default clock_timestamp(),
  how text not null,
  said text not null default '',       -- the shopper's words, at most 200 characters
  entry uuid,
  item text,
  version int,
  topic text not null default '',
  confidence real not null default 0,
  shown jsonb not null default '[]',
  primary key (shop_id, thread_id, seq)
);
create index bot_turn_by_conversation on bot_turn (shop_id, conversation_id, seq);
create index bot_turn_by_time on bot_turn (shop_id, at);
select wall_shop('bot_turn');
