console.log("sdk")
