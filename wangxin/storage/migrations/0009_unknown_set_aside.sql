-- Questions the bot could not answer and that the merchant does not want to see again.

create table unknown_set_aside (
  shop_id uuid not null references shop,
  said text not null,                  -- normalised, as the matcher reads it
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, said)
);
select wall_shop('unknown_set_aside');
