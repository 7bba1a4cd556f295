-- The shop's library: pictures and short videos that menus, pushes and agents send again and again.

create table media_shelf (
  shop_id uuid not null references shop,
  media_id uuid not null,
  title text not null check (char_length(title) between 1 and 60),
  added_by uuid not null,
  added_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, media_id),
  foreign key (shop_id, media_id) references media
);
select wall_shop('media_shelf');
