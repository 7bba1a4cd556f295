-- Which of a shop's menus a shopper saw, when first and last, and on which side of a trial of two menus he stands.

alter table menu_shown
  add column variant text not null default '',      -- '': the default menu
  add column trials jsonb not null default '{}',    -- arm by variant: {"vip": "shown"}, {"vip": "held"}
  add column at timestamptz not null default clock_timestamp(),
  add column last_at timestamptz not null default clock_timestamp(),
  drop constraint menu_shown_pkey,
  add primary key (shop_id, day, shopper_id, version, variant);
create index menu_shown_in_trials on menu_shown (shop_id, day) where trials <> '{}';
