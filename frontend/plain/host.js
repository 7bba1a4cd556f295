// The demo shop's own page: switches between a guest and a member, as a shop's server would by signing a token.
(function () {
  var picker = document.getElementById("member");
  var said = document.getElementById("said");
  var shop = decodeURIComponent(location.pathname.split("/")[2] || "");
  var wanted = new URLSearchParams(location.search).get("as");

  function call(name) {
    var values = Array.prototype.slice.call(arguments, 1);
    window.$wangxin = window.$wangxin || [];
    window.$wangxin.push([name].concat(values));
  }

  function token(member) {
    return fetch("/api/v1/demo/member", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ shop: shop, member: member }),
    }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.json();
    });
  }

  function beMember() {
    return token(picker.value).then(
      function (answer) {
        said.textContent = "";
        call("setUser", { token: answer.token });
      },
      function () {
        said.textContent = "会员登录没有成功，请再试 / Could not sign in, try again";
      },
    );
  }

  window.wangxinSettings = {
    shop: shop,
    onTokenExpired: function () {
      return token(picker.value).then(function (answer) {
        return answer.token;
      });
    },
  };

  document.getElementById("whole").href = "/chat/" + encodeURIComponent(shop);
  fetch("/api/v1/shops/" + encodeURIComponent(shop))
    .then(function (answer) {
      return answer.json();
    })
    .then(function (found) {
      document.getElementById("shop").textContent = document.title = found.name || shop;
    });
  fetch("/api/v1/demo/members?shop=" + encodeURIComponent(shop))
    .then(function (answer) {
      return answer.ok ? answer.json() : [];
    })
    .then(function (list) {
      list.forEach(function (member) {
        var option = document.createElement("option");
        option.value = member.external_id;
        option.textContent = member.name + (member.level ? " · " + member.level : "");
        picker.append(option);
      });
      if (wanted === "member") {
        document.querySelector('input[value="member"]').checked = true;
        picker.hidden = false;
        return beMember();
      }
    });

  document.querySelectorAll('input[name="who"]').forEach(function (choice) {
    choice.addEventListener("change", function () {
      picker.hidden = choice.value !== "member";
      if (choice.value === "member") beMember();
      else call("reset");
    });
  });
  picker.addEventListener("change", beMember);
  document.getElementById("ask").addEventListener("click", function () {
    call("sendProduct", {
      id: "SY1001",
      title: document.querySelector("h1").textContent,
      price_fen: 35900,
      picture: "/static/goods/down.svg",
      url: location.href,
    });
  });
})();
