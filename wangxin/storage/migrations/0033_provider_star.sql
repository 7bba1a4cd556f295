-- What each provider was graded for a month: everybody who looks for one reads it.
create table provider_star (
  provider_id uuid not null references provider,
  month date not null,                 -- its first day
  score numeric(5, 2) not null,        -- 0 to 100
  stars smallint not null check (stars between 3 and 6),
  dimensions jsonb not null,           -- operating, brands, reviews, potential: 0 to 100 each
  parts jsonb not null,                -- {part: [hits, n]}
  conversations int not null,
  shops int not null,
  graded_at timestamptz not null default clock_timestamp(),
  primary key (provider_id, month)
);
alter table provider_star enable row level security;
create policy everybody on provider_star for select to wangxin_web using (true);
grant select on provider_star to wangxin_web;

-- What a shop may know of every provider that takes shops: its newest grade, and how many people it has.
create function provider_directory(p_shop uuid)
returns table (provider uuid, name text, stars int, score numeric, dimensions jsonb, conversations int, shops int,
               month date, seats bigint, ready bigint, served_here boolean)
language sql stable security definer set search_path = public as $$
  select v.provider_id, v.name, coalesce(s.stars, v.stars_tenths / 10)::int, s.score, s.dimensions, s.conversations,
    s.shops, s.month,
    (select count(*) from seat a where a.provider_id = v.provider_id and a.retired_at is null),
    (select count(*) from seat a where a.provider_id = v.provider_id and a.retired_at is null and a.state = 'ready'
       and a.connected),
    exists (select from agreed_contract c where c.shop_id = p_shop and c.provider_id = v.provider_id
      and c.starts_at <= clock_timestamp() and (c.ends_at is null or c.ends_at > clock_timestamp()))
  from provider v
  left join lateral (select * from provider_star g where g.provider_id = v.provider_id
                     order by g.month desc limit 1) s on true
  where v.state <> 'suspended'
$$;
