-- Every member has a profile from the moment the shop vouches for him, or no audience could hold him.
create function keep_profile() returns trigger language plpgsql security definer set search_path = public as $$
begin
  insert into profile (shop_id, shopper_id, member_since) values (new.shop_id, new.id, new.created_at)
  on conflict do nothing;
  return null;
end $$;

create trigger shopper_has_profile after insert on shopper for each row when (new.external_id is not null)
  execute function keep_profile();

insert into profile (shop_id, shopper_id, member_since)
select shop_id, id, created_at from shopper where external_id is not null on conflict do nothing;
