-- Questions whose right outcome the merchant knows: the bot is examined with them.

create table golden_question (
  shop_id uuid not null references shop,
  id uuid not null,
  said text not null,
  expects text not null check (expects in ('entry', 'item', 'human', 'none')),
  ref text not null default '',        -- the question's key, or the menu item's id
  made_at timestamptz not null default clock_timestamp(),
  verdict text check (verdict in ('right', 'offered', 'wrong')),  -- of the last run
  judged_at timestamptz,
  primary key (shop_id, id),
  unique (shop_id, said)
);
select wall_shop('golden_question');
