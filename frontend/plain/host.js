// The demo shop's own page: switches between a guest and a member, as a shop's server would by signing a token.
(function () {
  var picker = document.getElementById("member");
  var said = document.getElementById("said");
  var wanted = new URLSearchParams(location.search).get("as");

  function call(name) {
    var values = Array.prototype.slice.call(arguments, 1);
    window.$wangxin = window.$wangxin || [];
    window.$wangxin.push([name].concat(values));
  }

  function token(member) {
    return fetch("/api/v1/demo/token?member=" + encodeURIComponent(member), { method: "POST" }).then(function (answer) {
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
    shop: "senye",
    onTokenExpired: function () {
      return token(picker.value).then(function (answer) {
        return answer.token;
      });
    },
  };

  fetch("/api/v1/demo/members")
    .then(function (answer) {
      return answer.ok ? answer.json() : { members: [] };
    })
    .then(function (list) {
      (list.members || list).forEach(function (member) {
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
      id: "SY-DOWN-01",
      title: document.querySelector("h1").textContent,
      price_fen: 39900,
      url: location.origin + "/demo",
    });
  });
})();
